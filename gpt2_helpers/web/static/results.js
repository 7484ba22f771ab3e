// The texts that were written: each a card that stays. What is kept stays in this browser, too.
// A text is always text: it only ever becomes a text node.

import { copy } from "./copying.js";
import { draw } from "./picture.js";

const SHELF = "kept-texts";
const MOST_KEPT = 200;

export class Results {
  constructor(place, clear, say) {
    this.place = place;
    this.clear = clear;
    this.say = say;
    clear.addEventListener("click", () => {
      for (const card of place.querySelectorAll(".result:not(.kept):not(.writing)")) card.remove();
      this.tidy();
    });
    for (const kept of shelf()) this.add(kept.prefix, kept.model, kept.text, kept.id);
  }

  // A new card on top, to be written into.
  begin(prefix, model) {
    const card = this.add(prefix, model, "", null);
    card.element.classList.add("writing");
    return card;
  }

  add(prefix, model, text, id) {
    const element = document.createElement("article");
    const shown = document.createElement("p");
    const bold = document.createElement("strong");
    const written = document.createTextNode(text);
    const about = document.createElement("p");
    const buttons = document.createElement("div");
    element.className = "result";
    shown.className = "result-text";
    about.className = "result-about";
    buttons.className = "buttons";
    bold.textContent = prefix;
    shown.append(bold, written);
    about.textContent = `Written by a machine: ${model}`;
    element.append(shown, about, buttons);
    const card = { element, written, about, prefix, model, id };
    const keep = button("Keep", () => this.keep(card, keep));
    keep.setAttribute("aria-pressed", String(Boolean(id)));
    element.classList.toggle("kept", Boolean(id));
    buttons.append(
      keep,
      button("Copy", async (self) => {
        await copy(prefix + written.data);
        said(self, "Copied");
      }),
      button("Save as picture", async () => {
        save(await draw(prefix, written.data, model), "text.png");
      }),
      button("Go on from it", () => {
        element.dispatchEvent(
          new CustomEvent("go-on", { bubbles: true, detail: prefix + written.data }),
        );
      }),
    );
    this.place.prepend(element);
    this.tidy();
    return card;
  }

  end(card, words) {
    card.element.classList.remove("writing");
    if (words) card.about.textContent = `${words} ${card.about.textContent}`;
    if (!card.written.data) card.element.remove();
    if (card.id) store([...shelf().filter(({ id }) => id !== card.id), stored(card)]);
    this.tidy();
  }

  keep(card, self) {
    const others = shelf().filter(({ id }) => id !== card.id);
    if (card.id) {
      card.id = null;
      store(others);
    } else {
      card.id = crypto.randomUUID?.() ?? String(Date.now() + Math.random());
      if (others.length >= MOST_KEPT) {
        this.say(`${MOST_KEPT} texts are kept already: let go of one first.`);
        card.id = null;
      } else if (!store([...others, stored(card)])) {
        this.say("This browser does not let the page keep texts: copy it instead.");
        card.id = null;
      }
    }
    card.element.classList.toggle("kept", Boolean(card.id));
    self.setAttribute("aria-pressed", String(Boolean(card.id)));
    self.textContent = card.id ? "Kept" : "Keep";
    this.tidy();
  }

  tidy() {
    this.clear.hidden = !this.place.querySelector(".result:not(.kept):not(.writing)");
    for (const self of this.place.querySelectorAll(".kept button[aria-pressed]")) self.textContent = "Kept";
  }
}

function button(words, press) {
  const self = document.createElement("button");
  self.type = "button";
  self.textContent = words;
  self.addEventListener("click", async () => {
    try {
      await press(self);
    } catch {
      said(self, "Not possible here");
    }
  });
  return self;
}

export function said(self, words) {
  const before = self.dataset.words ?? self.textContent;
  self.dataset.words = before;
  self.textContent = words;
  setTimeout(() => (self.textContent = before), 2000);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function stored({ id, prefix, model, written }) {
  return { id, prefix, model, text: written.data };
}

function shelf() {
  try {
    const kept = JSON.parse(localStorage.getItem(SHELF) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

function store(kept) {
  try {
    localStorage.setItem(SHELF, JSON.stringify(kept));
    return true;
  } catch {
    return false;
  }
}
