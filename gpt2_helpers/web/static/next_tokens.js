// The likeliest next tokens at the cursor, with their probabilities; choosing one inserts it.

import { percent } from "./probabilities.js";

const DELAY = 200; // milliseconds after the cursor has moved

export class NextTokens {
  // `parts` has the elements: button, panel, list, info, undoButton and editor. `fetchTokens(text, ids, signal)`
  // returns the server's tokens. `onError` shows an error, `onChange` is called after an insertion.
  constructor(parts, fetchTokens, onError, onChange) {
    Object.assign(this, parts, { fetchTokens, onError, onChange });
    this.tokens = [];
    this.selected = 0;
    this.pending = []; // ids of a character that is not complete
    this.history = []; // states of the editor before each choice
    this.chosenEnd = null; // where a token ends that was chosen or generated
    this.place = null; // what the tokens are for
    this.timer = null;
    this.controller = null;
    this.button.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    this.list.addEventListener("keydown", (event) => this.handleKey(event));
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose([...this.list.children].indexOf(option));
    });
    this.undoButton.addEventListener("click", () => this.undo());
    document.addEventListener("selectionchange", () => this.onMove());
    this.editor.addEventListener("input", () => this.onMove());
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  open() {
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.update();
    this.list.focus({ preventScroll: true });
  }

  // Opens the list after a text whose end is that of a token, even where it is a space.
  openAfterToken() {
    this.forget();
    this.chosenEnd = this.editor.selectionStart;
    this.open();
  }

  close() {
    const hadFocus = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.controller?.abort();
    clearTimeout(this.timer);
    this.forget();
    this.place = null;
    if (hadFocus) this.editor.focus();
  }

  // The text before the cursor. Typed spaces at its end are left out, since the model's words start with
  // a space of their own.
  get before() {
    const text = this.editor.value.slice(0, this.editor.selectionStart);
    return text.length === this.chosenEnd ? text : text.replace(/[ \t]+$/, "");
  }

  forget() {
    this.pending = [];
    this.history = [];
    this.chosenEnd = null;
  }

  onMove() {
    if (!this.isOpen || this.place === this.before) return;
    this.forget();
    this.list.setAttribute("aria-busy", "true"); // the tokens are those of another place
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.update(), DELAY);
  }

  // Lists the tokens of another model.
  onModelChange() {
    if (!this.isOpen) return;
    this.forget();
    this.update();
  }

  async update() {
    this.controller?.abort();
    clearTimeout(this.timer);
    const controller = (this.controller = new AbortController());
    this.place = this.before;
    this.list.setAttribute("aria-busy", "true");
    try {
      const tokens = await this.fetchTokens(this.place, this.pending, controller.signal);
      if (this.controller === controller && this.isOpen) this.show(tokens);
    } catch (error) {
      if (error.name !== "AbortError") {
        this.close();
        this.onError(error);
      }
    }
  }

  show(tokens) {
    this.tokens = tokens;
    this.selected = 0;
    this.list.removeAttribute("aria-busy");
    this.info.textContent = this.pending.length ? "The character is not complete: choose its next part." : "";
    this.list.replaceChildren(...tokens.map((token, index) => this.option(token, index)));
    this.undoButton.disabled = !this.history.length;
    this.move(0);
  }

  option({ text, probability }, index) {
    const option = document.createElement("div");
    const [number, name, bar, share] = ["kbd", "span", "span", "span"].map((kind) => document.createElement(kind));
    option.id = `next-token-${index}`;
    option.className = "next-token";
    option.setAttribute("role", "option");
    option.setAttribute("aria-label", `${spoken(text)}, ${percent(probability)}`);
    number.textContent = index < 10 ? (index + 1) % 10 : "";
    name.className = text ? "next-text" : "next-text other";
    name.textContent = visible(text);
    bar.className = "next-bar";
    bar.style.setProperty("--share", probability);
    share.className = "next-share";
    share.textContent = percent(probability);
    option.append(number, name, bar, share);
    return option;
  }

  move(by) {
    const options = [...this.list.children];
    if (!options.length) return;
    this.selected = (this.selected + by + options.length) % options.length;
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this.selected)));
    this.list.setAttribute("aria-activedescendant", options[this.selected].id);
    if (by) options[this.selected].scrollIntoView({ block: "nearest" });
  }

  choose(index) {
    const token = this.tokens[index];
    if (!token || this.list.hasAttribute("aria-busy")) return;
    if (token.text === "") {
      this.info.textContent = "The model would end the text here.";
      return;
    }
    const { value, selectionStart, selectionEnd, scrollTop } = this.editor;
    const { pending, chosenEnd } = this;
    this.history.push({ value, selectionStart, selectionEnd, scrollTop, pending, chosenEnd });
    if (token.text === null) {
      this.pending = [...this.pending, token.id];
    } else {
      this.pending = [];
      this.editor.setRangeText(token.text, this.place.length, selectionEnd, "end");
      this.chosenEnd = this.place.length + token.text.length;
      this.onChange();
    }
    this.update();
  }

  undo() {
    const state = this.history.pop();
    if (!state) return;
    this.editor.value = state.value;
    this.editor.setSelectionRange(state.selectionStart, state.selectionEnd);
    this.pending = state.pending;
    this.chosenEnd = state.chosenEnd;
    this.onChange();
    this.update();
  }

  handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.move(step);
    else if (event.key === "Enter") this.choose(this.selected);
    else if (/^[0-9]$/.test(event.key)) this.choose((Number(event.key) + 9) % 10);
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }
}

// A token's text with visible spaces and line breaks.
function visible(text) {
  if (text === null) return "part of a character";
  if (text === "") return "end of the text";
  return text.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥");
}

function spoken(text) {
  if (!text) return visible(text);
  return text.trim() || (text.includes("\n") ? "line break" : "space");
}
