// Shows the text of a link in place of the editor.

import { copy } from "./clipboard.js";
import { credit, flash, foldable } from "./results.js";
import { linkedText } from "./share.js";

const byId = (id) => document.getElementById(id);

// Returns whether the address contains a text; throws if it is damaged. `onContinue` is called with
// the text if the reader wants to continue it.
export async function openReader(onContinue) {
  const linked = await linkedText(location.hash);
  if (!linked) return false;
  const { prompt, text, model } = linked;
  byId("reader").append(byId("reader-content").content.cloneNode(true));
  const [shownPrompt, toggle] = foldable(prompt);
  byId("shared-text").append(shownPrompt, document.createTextNode(text));
  byId("shared-text").before(...toggle);
  byId("shared-info").textContent = `${credit(model)}. The text is stored in the link.`;
  document.title = `${excerpt(prompt + text)} – written with ${model || "a language model"}`;
  document.body.classList.replace("writing-page", "shared-page");
  byId("writer").hidden = true;
  byId("reader").hidden = false;
  byId("copy-shared").addEventListener("click", async () => {
    try {
      await copy(prompt + text);
      flash(byId("copy-shared"), "Copied");
    } catch {
      flash(byId("copy-shared"), "Not supported by this browser");
    }
  });
  byId("continue-shared").addEventListener("click", () => {
    history.pushState(null, "", "./"); // without the text: a reload starts with an empty editor
    document.body.classList.replace("shared-page", "writing-page");
    byId("reader").replaceChildren();
    byId("reader").hidden = true;
    byId("writer").hidden = false;
    onContinue(prompt + text);
  });
  return true;
}

function excerpt(text) {
  const words = text.trim().split(/\s+/);
  return words.slice(0, 8).join(" ") + (words.length > 8 ? " …" : "");
}
