// Continuations at the cursor: a list to choose from while the cursor stays in the text.

export class Choices {
  // `closed` is called when an open list goes.
  constructor(editor, list, closed) {
    this.editor = editor;
    this.list = list;
    this.closed = closed;
    this.at = 0;
    editor.setAttribute("aria-controls", list.id);
    list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the cursor stays where it is
      const option = event.target.closest(".choice");
      if (option) this.take([...list.children].indexOf(option));
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  show(found) {
    this.list.replaceChildren(
      ...found.map((text, order) => {
        const option = document.createElement("div");
        option.className = "choice";
        option.id = `choice-${order}`;
        option.setAttribute("role", "option");
        option.textContent = text.trim();
        option.dataset.text = text;
        return option;
      }),
    );
    this.list.hidden = found.length === 0;
    this.move(-this.at);
  }

  move(by) {
    const count = this.list.children.length;
    if (!count) return;
    this.at = (this.at + by + count) % count;
    [...this.list.children].forEach((option, order) => {
      option.setAttribute("aria-selected", String(order === this.at));
    });
    this.editor.setAttribute("aria-activedescendant", `choice-${this.at}`);
  }

  take(order = this.at) {
    const { text } = this.list.children[order].dataset;
    this.close();
    const { selectionStart, selectionEnd } = this.editor;
    this.editor.setRangeText(text, selectionStart, selectionEnd, "end");
    this.editor.focus();
  }

  close() {
    if (this.isOpen) this.closed();
    this.list.hidden = true;
    this.list.replaceChildren();
    this.at = 0;
    this.editor.removeAttribute("aria-activedescendant");
  }

  // Whether a key was meant for the list.
  press(event) {
    if (!this.isOpen) return false;
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return true;
    const moves = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1 };
    if (event.key in moves) this.move(moves[event.key]);
    else if (event.key === "Enter") this.take();
    else if (event.key === "Escape") this.close();
    else {
      this.close();
      return false;
    }
    event.preventDefault();
    return true;
  }
}
