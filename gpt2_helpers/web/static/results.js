// The generated texts, a card each. Saved ones are kept in the browser's local storage.
// Generated text is only ever put into text nodes, never parsed as HTML.

import { copy } from "./clipboard.js";
import { draw } from "./image.js";

const STORAGE_KEY = "saved-texts";
const MAX_SAVED = 200;
const UNSAVED = ".result:not(.saved):not(.generating)";

export class Results {
  // `notify` shows a message to the user.
  constructor(container, clearButton, notify) {
    this.container = container;
    this.clearButton = clearButton;
    this.notify = notify;
    clearButton.addEventListener("click", () => {
      for (const element of container.querySelectorAll(UNSAVED)) element.remove();
      this.update();
    });
    for (const saved of load()) this.add(saved.prefix, saved.model, saved.text, saved.id);
  }

  // Adds an empty card on top, for a text that is being generated.
  begin(prefix, model) {
    const card = this.add(prefix, model, "", null);
    card.element.classList.add("generating");
    return card;
  }

  add(prefix, model, text, id) {
    const element = document.createElement("article");
    const paragraph = document.createElement("p");
    const prompt = document.createElement("strong");
    const generated = document.createTextNode(text);
    const info = document.createElement("p");
    const buttons = document.createElement("div");
    element.className = "result";
    paragraph.className = "result-text";
    info.className = "result-info";
    buttons.className = "buttons";
    prompt.textContent = prefix;
    paragraph.append(prompt, generated);
    info.textContent = `Machine-generated: ${model}`;
    element.append(paragraph, info, buttons);
    const card = { element, generated, info, prefix, model, id };
    card.saveButton = button("Save", () => this.toggleSaved(card));
    buttons.append(
      card.saveButton,
      button("Copy", async (self) => {
        await copy(prefix + generated.data);
        flash(self, "Copied");
      }),
      button("Download image", async () => {
        download(await draw(prefix, generated.data, model), "text.png");
      }),
      button("Continue this text", () => {
        element.dispatchEvent(
          new CustomEvent("continue-text", { bubbles: true, detail: prefix + generated.data }),
        );
      }),
    );
    this.container.prepend(element);
    showSaved(card);
    this.update();
    return card;
  }

  // Ends a card that was being generated; an empty one is removed.
  end(card, remark) {
    card.element.classList.remove("generating");
    if (remark) card.info.textContent = `${remark} ${card.info.textContent}`;
    if (!card.generated.data) card.element.remove();
    if (card.id) store([...load().filter(({ id }) => id !== card.id), serialize(card)]);
    this.update();
  }

  toggleSaved(card) {
    const others = load().filter(({ id }) => id !== card.id);
    if (card.id) {
      card.id = null;
      store(others);
    } else if (others.length >= MAX_SAVED) {
      this.notify(`You can save up to ${MAX_SAVED} texts. Remove one first.`);
    } else {
      card.id = crypto.randomUUID?.() ?? String(Date.now() + Math.random());
      if (!store([...others, serialize(card)])) {
        this.notify("This browser does not allow the page to save texts: copy the text instead.");
        card.id = null;
      }
    }
    showSaved(card);
    this.update();
  }

  update() {
    this.clearButton.hidden = !this.container.querySelector(UNSAVED);
  }
}

function showSaved({ element, saveButton, id }) {
  element.classList.toggle("saved", Boolean(id));
  saveButton.setAttribute("aria-pressed", String(Boolean(id)));
  saveButton.textContent = id ? "Saved" : "Save";
}

function button(label, onClick) {
  const self = document.createElement("button");
  self.type = "button";
  self.textContent = label;
  self.addEventListener("click", async () => {
    try {
      await onClick(self);
    } catch {
      flash(self, "Not supported by this browser");
    }
  });
  return self;
}

// Shows a message in place of a button's label for two seconds.
export function flash(self, message) {
  const label = self.dataset.label ?? self.textContent;
  self.dataset.label = label;
  self.textContent = message;
  setTimeout(() => (self.textContent = label), 2000);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function serialize({ id, prefix, model, generated }) {
  return { id, prefix, model, text: generated.data };
}

function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "[]");
    return Array.isArray(saved) ? saved : [];
  } catch {
    return [];
  }
}

// Returns whether the browser stored the texts.
function store(saved) {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(saved));
    return true;
  } catch {
    return false;
  }
}
