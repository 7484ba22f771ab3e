// A list of continuations at the cursor. It closes when the cursor moves.

export class CompletionList {
  // `onClose` is called when an open list closes.
  constructor(editor, list, onClose) {
    this.editor = editor;
    this.list = list;
    this.onClose = onClose;
    this.selected = 0;
    editor.setAttribute("aria-controls", list.id);
    list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // keeps the focus and the cursor in the editor
      const option = event.target.closest(".completion");
      if (option) this.accept([...list.children].indexOf(option));
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  show(completions) {
    this.list.replaceChildren(
      ...completions.map((text, index) => {
        const option = document.createElement("div");
        option.className = "completion";
        option.id = `completion-${index}`;
        option.setAttribute("role", "option");
        option.textContent = text.trim();
        option.dataset.text = text;
        return option;
      }),
    );
    this.list.hidden = completions.length === 0;
    this.move(-this.selected);
  }

  move(by) {
    const count = this.list.children.length;
    if (!count) return;
    this.selected = (this.selected + by + count) % count;
    [...this.list.children].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === this.selected));
    });
    this.editor.setAttribute("aria-activedescendant", `completion-${this.selected}`);
  }

  accept(index = this.selected) {
    const { text } = this.list.children[index].dataset;
    this.close();
    const { selectionStart, selectionEnd } = this.editor;
    this.editor.setRangeText(text, selectionStart, selectionEnd, "end");
    this.editor.focus();
  }

  close() {
    if (this.isOpen) this.onClose();
    this.list.hidden = true;
    this.list.replaceChildren();
    this.selected = 0;
    this.editor.removeAttribute("aria-activedescendant");
  }

  // Handles a keydown event of the editor; returns whether the key was for the list.
  handleKey(event) {
    if (!this.isOpen) return false;
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return true;
    const moves = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1 };
    if (event.key in moves) this.move(moves[event.key]);
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) this.accept();
    else if (event.key === "Escape") this.close();
    else {
      this.close();
      return false;
    }
    event.preventDefault();
    return true;
  }
}
