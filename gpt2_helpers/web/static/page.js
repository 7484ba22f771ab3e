// The page: its parts put together.

import * as server from "./server.js";
import { Choices } from "./choices.js";
import { copy } from "./copying.js";
import { Results, said } from "./results.js";
import { Settings, link, linked } from "./settings.js";

const TRIES = 4; // how often a busy server is asked again

const at = (id) => document.getElementById(id);
const editor = at("editor");
const choices = new Choices(editor, at("choices"), () => (at("status").textContent = ""));
const results = new Results(at("results"), at("clear"), notice);
let settings = null;
let model = "a model";
let working = null; // the AbortController of what is being written
let tabLeaves = false;

async function begin() {
  try {
    const told = await server.model();
    model = told.name;
    notice("");
    at("key-form").hidden = true;
    at("settings").hidden = false;
    at("model-name").textContent = model;
    document.title = `Write with ${model}`;
    at("model-words").textContent = `${sentence(told.description)} ${millions(told.parameters)} weights.`;
    for (const again of document.querySelectorAll(".model-again")) again.textContent = model;
    if (!settings) {
      settings = new Settings(at("sliders"), told.options);
      const { prefix, length, ...values } = linked();
      settings.set({ max_new_tokens: length, ...values });
      if (prefix) editor.value = prefix;
    }
    at("generate").disabled = at("complete").disabled = false;
  } catch (error) {
    refused(error);
    if (![400, 401, 404].includes(error.status)) setTimeout(begin, 5000);
  }
}

async function generate() {
  if (working || !settings) return;
  const prefix = editor.value;
  const { nsamples, ...values } = settings.values;
  const cards = Array.from({ length: nsamples }, () => results.begin(prefix, model));
  const shownPrefix = prefix.replace(/^\n+/, ""); // as the server shows it
  let texts = [];
  busy(new AbortController());
  at("status").textContent = "Writing …";
  try {
    await unlessBusy(() => {
      texts = cards.map(() => ""); // one that was refused midway begins anew
      return server.stream(
        { prefix, nsamples, ...values },
        {
          text: (index, text) => {
            texts[index] += text;
            cards[index].written.data = texts[index].slice(shownPrefix.length);
          },
          end: (index, about) => results.end(cards[index], about.finish_reason === "stop" ? "" : "Truncated."),
        },
        working.signal,
      );
    });
    const written = texts.map((text) => text.slice(shownPrefix.length));
    const words = written.join(" ").split(/\s+/).filter(Boolean).length;
    at("status").textContent = `Done: ${words} words.`;
  } catch (error) {
    at("status").textContent = error.name === "AbortError" ? "Stopped." : "Broken off.";
    for (const card of cards) {
      if (card.element.classList.contains("writing")) results.end(card, "Broken off.");
    }
    refused(error);
  } finally {
    busy(null);
  }
}

async function complete() {
  if (working || !settings) return;
  busy(new AbortController());
  at("status").textContent = "Looking for continuations …";
  try {
    const { value, selectionStart } = editor;
    const before = value.slice(0, selectionStart);
    const found = await unlessBusy(() => server.completions(before, working.signal));
    // Whoever has written on meanwhile wants others.
    const stays = editor.value === value && editor.selectionStart === selectionStart;
    if (stays) choices.show(found);
    at("status").textContent = !stays ? "" : found.length
      ? `${found.length} continuations: arrow keys choose, Enter takes one, Esc none.`
      : "The model would end here.";
  } catch (error) {
    at("status").textContent = "";
    refused(error);
  } finally {
    busy(null);
    if ([document.body, at("complete")].includes(document.activeElement)) editor.focus();
  }
}

// Asks again after the time that a busy server names, a few times.
async function unlessBusy(ask) {
  const { signal } = working;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (![429, 503].includes(error.status) || attempt === TRIES) throw error;
      const wait = error.retryAfter ?? 2;
      notice(`Many are writing just now. Trying again in ${wait} s.`);
      for (let left = wait; left > 0 && !signal.aborted; left -= 1) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      notice("");
      if (signal.aborted) throw new DOMException("stopped", "AbortError");
    }
  }
}

function busy(controller) {
  working = controller;
  at("generate").disabled = at("complete").disabled = Boolean(controller);
  at("stop").hidden = !controller;
  if (controller) notice("");
}

function refused(error) {
  if (error.name === "AbortError") return;
  const asksForKey = error.status === 401;
  at("key-form").hidden = !asksForKey;
  at("settings").hidden = !settings;
  if (asksForKey) at("key").focus();
  // What the server says of a missing key is for programs.
  notice(asksForKey && !server.key.get() ? "" : sentence(error.message));
}

function notice(words) {
  at("notice").textContent = words;
  at("notice").hidden = !words;
}

function sentence(words) {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function millions(count) {
  return count < 1e6 ? count.toLocaleString("en") : `${Math.round(count / 1e6)} million`;
}

// --- What is pressed and clicked

editor.addEventListener("keydown", (event) => {
  if (choices.press(event)) return;
  if (event.key === "Escape") {
    working?.abort();
    tabLeaves = true;
  } else if (event.key === "Tab" && !event.shiftKey && !tabLeaves && !working) {
    event.preventDefault();
    complete();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    generate();
  } else if (event.key !== "Tab") {
    tabLeaves = false;
  }
});
for (const moved of ["blur", "input", "click"]) {
  editor.addEventListener(moved, () => choices.close());
}
editor.addEventListener("focus", () => (tabLeaves = false));
at("generate").addEventListener("click", generate);
at("complete").addEventListener("click", complete);
at("stop").addEventListener("click", () => working?.abort());
at("reset").addEventListener("click", () => settings?.reset());
at("share").addEventListener("click", async () => {
  const address = link(editor.value, settings?.values ?? {});
  history.replaceState(null, "", address);
  try {
    await copy(address);
    said(at("share"), "Copied");
  } catch {
    said(at("share"), "It stands in the address bar");
  }
});
at("results").addEventListener("go-on", (event) => {
  editor.value = event.detail;
  editor.focus();
  editor.scrollIntoView({ block: "center" });
});
at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  server.key.set(at("key").value);
  begin();
});

const root = document.documentElement;
const stored = (() => {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
})();
if (stored) root.dataset.theme = stored;
at("theme").addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // it lasts as long as the page
  }
});

at("settings").open = !matchMedia("(max-width: 30rem)").matches;
at("generate").disabled = at("complete").disabled = true;
begin();
