// The generated texts, a card each. Saved ones are kept in the browser's local storage.
// Generated text is only ever put into text nodes, never parsed as HTML.

import { copy } from "./clipboard.js";
import { draw } from "./image.js";
import { probabilityView } from "./probabilities.js";
import { folded } from "./prompt.js";
import { textLink } from "./share.js";
import * as storage from "./storage.js";
import { isStatic } from "./transport.js";

// The static sites of one host, such as those of a user of GitHub Pages, share the browser's storage.
const STORAGE_KEY = isStatic ? `saved-texts:${new URL("./", document.baseURI).pathname}` : "saved-texts";
const MAX_SAVED = 200;
const UNSAVED = ".result:not(.saved):not(.generating)";

export class Results {
  // `notify` shows a message to the user. `score` returns [the score of a text's last part, the part
  // before it], or null after it has shown an error.
  constructor(container, head, clearButton, notify, score) {
    this.container = container;
    this.head = head;
    this.clearButton = clearButton;
    this.notify = notify;
    this.score = score;
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
    const generated = document.createTextNode(text);
    const info = document.createElement("p");
    const buttons = document.createElement("div");
    element.className = "result";
    paragraph.className = "result-text";
    info.className = "result-info";
    buttons.className = "buttons";
    info.textContent = credit(model);
    const [prompt, toggle] = foldable(prefix);
    paragraph.append(prompt, generated);
    element.append(...toggle, paragraph, info, buttons);
    const card = { element, paragraph, generated, info, prefix, model, id, probabilities: null };
    card.saveButton = button("Save", () => this.toggleSaved(card));
    buttons.append(
      button("Continue", () => {
        element.dispatchEvent(
          new CustomEvent("continue-text", { bubbles: true, detail: prefix + generated.data }),
        );
      }),
      button("Share link", async (self) => {
        share(self, await textLink({ prompt: prefix, text: generated.data, model }));
      }),
      button("Copy text", async (self) => {
        await copy(prefix + generated.data);
        flash(self, "Copied");
      }),
      card.saveButton,
      button("Show probabilities", (self) => this.toggleProbabilities(card, self)),
      button("Download picture", async () => {
        const site = { name: document.getElementById("title").textContent, address: siteAddress() };
        download(await draw(folded(prefix), generated.data, site), fileName(prefix + generated.data));
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
    if (card.id) storage.write("localStorage", STORAGE_KEY, [...others(card), serialize(card)]);
    this.update();
  }

  toggleSaved(card) {
    if (card.id) {
      const kept = others(card);
      card.id = null;
      storage.write("localStorage", STORAGE_KEY, kept);
    } else if (load().length >= MAX_SAVED) {
      this.notify(`You can save up to ${MAX_SAVED} texts. Remove one first.`);
    } else {
      card.id = crypto.randomUUID?.() ?? String(Date.now() + Math.random());
      if (!storage.write("localStorage", STORAGE_KEY, [...others(card), serialize(card)])) {
        this.notify("This browser does not allow the page to save texts: copy the text instead.");
        card.id = null;
      }
    }
    showSaved(card);
    this.update();
  }

  // Shows the probability of each token in place of the plain text, or the plain text again.
  async toggleProbabilities(card, self) {
    if (card.element.classList.contains("generating")) return;
    if (card.probabilities) {
      for (const part of card.probabilities) part.remove();
      card.probabilities = null;
    } else {
      self.disabled = true;
      const found = await this.score(card.prefix + card.generated.data).finally(() => {
        self.disabled = false;
      });
      if (!found) return;
      card.probabilities = probabilityView(...found, (text) => {
        card.element.dispatchEvent(new CustomEvent("choose-token", { bubbles: true, detail: text }));
      });
      card.paragraph.after(...card.probabilities);
    }
    card.paragraph.hidden = Boolean(card.probabilities);
    self.setAttribute("aria-pressed", String(Boolean(card.probabilities)));
    self.textContent = card.probabilities ? "Hide probabilities" : "Show probabilities";
  }

  update() {
    this.head.hidden = !this.container.firstElementChild;
    this.clearButton.hidden = !this.container.querySelector(UNSAVED);
  }
}

export function credit(model) {
  return `Machine-generated: ${model || "unknown model"}`;
}

// Returns the element of a prompt, and a button that unfolds it in a list; the list is empty if the
// prompt is short.
export function foldable(prefix) {
  const prompt = document.createElement("strong");
  prompt.textContent = folded(prefix);
  if (prompt.textContent === prefix) return [prompt, []];
  const toggle = button("", () => show(prompt.textContent !== prefix));
  const show = (whole) => {
    prompt.textContent = whole ? prefix : folded(prefix);
    toggle.textContent = whole ? "Show the end of the prompt only" : "Show the whole prompt";
    toggle.setAttribute("aria-expanded", String(whole));
  };
  toggle.className = "fold";
  show(false);
  return [prompt, [toggle]];
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

// Offers a link to the apps of a phone; copies it on other devices.
export async function share(self, url) {
  if (navigator.share && matchMedia("(pointer: coarse)").matches) {
    await navigator.share({ url }).catch(() => {}); // the user may close the list of apps
    return;
  }
  try {
    await copy(url);
    flash(self, "Link copied");
  } catch {
    history.replaceState(null, "", url);
    flash(self, "See the address bar");
  }
}

// The address of the page for a reader: without index.html, and with its letters as they are.
function siteAddress() {
  const address = (location.host + location.pathname).replace(/\/(index\.html)?$/, "");
  try {
    return decodeURI(address);
  } catch { // bytes that are not UTF-8
    return address;
  }
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// A name from the first words, such as once-upon-a-time.png.
function fileName(text) {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return `${words.slice(0, 5).join("-").slice(0, 60) || "text"}.png`;
}

function serialize({ id, prefix, model, generated }) {
  return { id, prefix, model, text: generated.data };
}

// The saved texts. Entries that are not as `serialize` makes them are left out.
function load() {
  const isText = (entry) =>
    ["id", "prefix", "model", "text"].every((name) => typeof entry?.[name] === "string") && entry.id;
  return (storage.read("localStorage", STORAGE_KEY, Array.isArray) ?? []).filter(isText);
}

function others(card) {
  return load().filter(({ id }) => id !== card.id);
}
