// The page: connects the editor, the settings, the results and the API client.

import * as api from "./transport.js";
import { CompletionList } from "./completions.js";
import { endRemark, lastPart, limitRemark, tail } from "./prompt.js";
import { NextTokens } from "./next_tokens.js";
import { Results, share } from "./results.js";
import { Settings, linkParameters, settingsLink } from "./settings.js";
import { openReader } from "./reader.js";
import "./theme.js";

const MAX_ATTEMPTS = 4; // while the server is busy
const RECONNECT_DELAY = 5000; // milliseconds

const byId = (id) => document.getElementById(id);
const editor = byId("editor");
const completions = new CompletionList(editor, byId("completions"), () => setStatus(""));
const results = new Results(byId("results"), byId("results-head"), byId("clear"), notify, score);
const nextTokens = new NextTokens(
  {
    editor,
    button: byId("show-next"),
    panel: byId("next-tokens"),
    list: byId("next-list"),
    info: byId("next-info"),
    undoButton: byId("next-undo"),
  },
  (text, ids, signal) => api.nextTokens(tail(text, promptLimit), ids, chosenModel, signal),
  showError,
  onPromptChange,
);
let settings = null;
let isReady = false; // whether the model can be used
let model = "a model";
let chosenModel = null; // the name of one of several models; null for the first
let continuesPrompt = true; // whether texts start with their prompt
let defaultPrompt = ""; // what an empty editor continues
let promptLimit = Infinity; // characters
let examples = [];
let controller = null; // the AbortController of the running request
let tabLeavesEditor = false;
let reconnectTimer = 0;

// Loads the model's description and makes the sliders. `remark` is shown once the page is connected.
async function connect(remark = "") {
  const wanted = chosenModel;
  clearTimeout(reconnectTimer);
  try {
    const info = await api.model(wanted);
    if (wanted !== chosenModel) return; // another one was chosen in the meantime
    model = info.name;
    notify(remark);
    byId("key-form").hidden = true;
    byId("settings").hidden = false;
    document.title = byId("title").textContent = `Write with ${model}`;
    const size = millions(info.parameters);
    byId("model-description").textContent = `${sentence(info.description)} ${size} parameters.`;
    promptLimit = info.max_prompt_chars;
    continuesPrompt = info.continues_prompt;
    defaultPrompt = info.default_prompt;
    editor.placeholder = defaultPrompt || "Leave this empty to start a new text";
    if (!settings) {
      settings = new Settings(byId("usual-settings"), byId("advanced-settings"), info.options);
      byId("advanced").hidden = !byId("advanced-settings").firstElementChild;
      const { prefix, length, ...values } = linkParameters();
      settings.set({ max_new_tokens: length, ...values });
      if (prefix) editor.value = prefix;
      showModels(info.models);
    }
    showExamples(info.example_prompts);
    onPromptChange();
    await api.load?.(showLoading);
    isReady = true;
    updateButtons();
  } catch (error) {
    if (wanted !== chosenModel) return;
    showError(error);
    if (![400, 401, 404].includes(error.status)) reconnectTimer = setTimeout(connect, RECONNECT_DELAY, remark);
  }
}

async function generate() {
  if (controller || !settings) return;
  const prompt = editor.value.trim() ? editor.value.replace(/[ \t]+$/, "") : defaultPrompt;
  const prefix = lastPart(prompt, promptLimit);
  const { nsamples, ...values } = settings.values;
  const asked = chosenModel;
  // A model of prompts and completions returns the completion alone.
  const shownPrompt = continuesPrompt || !prompt ? prompt : `${prompt.trimEnd()}\n\n`;
  const shownPrefix = continuesPrompt ? prefix.replace(/^\n+/, "") : ""; // the server removes leading newlines
  // The first text is on top: a model in this browser writes them one after another.
  const cards = Array.from({ length: nsamples }, () => results.begin(shownPrompt, model)).reverse();
  const remark = limitRemark(prompt, promptLimit, "were");
  let texts = [];
  setRunning(new AbortController());
  setStatus("Generating …");
  try {
    await retryWhileBusy(() => {
      texts = cards.map(() => ""); // a retry starts over
      return api.stream(
        { prefix, nsamples, model: asked, ...values },
        {
          text: (index, text) => {
            texts[index] += text;
            cards[index].generated.data = texts[index].slice(shownPrefix.length);
          },
          end: (index, end) => results.end(cards[index], `${remark} ${endRemark(end)}`.trim()),
        },
        controller.signal,
      );
    });
    const generated = texts.map((text) => text.slice(shownPrefix.length));
    const words = generated.join(" ").split(/\s+/).filter(Boolean).length;
    setStatus(`Done: ${counted(words, "word")}.`);
  } catch (error) {
    setStatus(error.name === "AbortError" ? "Stopped." : "Interrupted.");
    for (const card of cards) {
      if (card.element.classList.contains("generating")) results.end(card, "Interrupted.");
    }
    showError(error);
  } finally {
    setRunning(null);
  }
}

async function complete() {
  if (controller || !settings) return;
  setRunning(new AbortController());
  setStatus("Finding suggestions …");
  try {
    if (!editor.value.trim()) {
      editor.value = defaultPrompt;
      onPromptChange();
    }
    const { value, selectionStart } = editor;
    const before = tail(value.slice(0, selectionStart), promptLimit);
    const found = await retryWhileBusy(() => api.complete(before, chosenModel, controller.signal));
    // They no longer fit if the user has typed in the meantime.
    const unchanged = editor.value === value && editor.selectionStart === selectionStart;
    if (unchanged) completions.show(found);
    setStatus(!unchanged ? "" : found.length
      ? `${counted(found.length, "suggestion")}: arrow keys select, Enter accepts, Esc closes.`
      : "No suggestion found.");
  } catch (error) {
    setStatus("");
    showError(error);
  } finally {
    setRunning(null);
    if ([document.body, byId("complete")].includes(document.activeElement)) editor.focus();
  }
}

// Offers the server's models, if there are several.
function showModels(names) {
  byId("models").hidden = names.length < 2;
  byId("model").replaceChildren(...names.map((name) => new Option(name)));
  byId("model").addEventListener("change", () => {
    model = chosenModel = byId("model").value;
    connect();
    nextTokens.onModelChange();
  });
}

async function score(text) {
  const scored = tail(text, promptLimit);
  try {
    return [await api.score(scored, chosenModel), text.slice(0, text.length - scored.length)];
  } catch (error) {
    showError(error);
    return null;
  }
}

// Shows the example prompts as buttons, which generate a text at once.
function showExamples(prompts) {
  examples = prompts;
  const label = document.createElement("span");
  label.textContent = "Try one:";
  byId("examples").replaceChildren(
    label,
    ...examples.map((prompt) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = prompt;
      button.addEventListener("click", () => {
        editor.value = prompt;
        onPromptChange();
        generate();
      });
      return button;
    }),
  );
}

// Shows the examples while the user has not written anything, and says if a prompt is too long.
function onPromptChange() {
  const isUnwritten = !editor.value.trim() || examples.includes(editor.value);
  byId("examples").hidden = !examples.length || !isUnwritten;
  const remark = limitRemark(editor.value, promptLimit, "are");
  byId("prompt-remark").textContent = remark;
  byId("prompt-remark").hidden = !remark;
  if (!isUnwritten) api.prepare?.(lastPart(editor.value, promptLimit));
}

// Shows how much of a model in this browser is loaded, or nothing. The fraction is null if it is unknown.
function showLoading(progress) {
  byId("loading").hidden = !progress;
  const { message = "", amount = "", fraction = null } = progress ?? {};
  // Screen readers read the message when it changes; the amount changes many times a second.
  if (byId("loading-message").textContent !== message) byId("loading-message").textContent = message;
  byId("loading-amount").textContent = amount;
  if (fraction === null) byId("loading-bar").removeAttribute("value");
  else byId("loading-bar").value = fraction;
}

// Retries a request after the time that a busy server asks for.
async function retryWhileBusy(request) {
  const { signal } = controller;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request();
    } catch (error) {
      if (![429, 503].includes(error.status) || attempt === MAX_ATTEMPTS) throw error;
      const wait = error.retryAfter ?? 2;
      notify(`The server is busy. Retrying in ${wait} s.`);
      for (let left = wait; left > 0 && !signal.aborted; left -= 1) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      notify("");
      if (signal.aborted) throw new DOMException("stopped", "AbortError");
    }
  }
}

function setRunning(newController) {
  const focused = document.activeElement;
  controller = newController;
  updateButtons();
  byId("stop").hidden = !controller;
  // A button that is disabled or hidden would lose the focus.
  if (controller && focused === byId("generate")) byId("stop").focus();
  if (!controller && focused === byId("stop")) byId("generate").focus();
  if (controller) notify("");
}

function updateButtons() {
  byId("generate").disabled = byId("complete").disabled = !isReady || Boolean(controller);
  byId("show-next").disabled = !isReady;
}

function setStatus(message) {
  byId("status").textContent = message;
}

function showError(error) {
  if (error.name === "AbortError") return;
  const needsKey = error.status === 401;
  byId("key-form").hidden = !needsKey;
  byId("settings").hidden = !settings;
  if (needsKey) byId("key").focus();
  // The server's message about a missing key is for programs; the form says enough.
  notify(needsKey && !api.key.get() ? "" : sentence(error.message));
}

function notify(message) {
  byId("notice").textContent = message;
  byId("notice").hidden = !message;
}

function sentence(words) {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function millions(count) {
  return count < 1e6 ? count.toLocaleString("en") : `${Math.round(count / 1e6)} million`;
}

// Event handlers

editor.addEventListener("keydown", (event) => {
  if (event.isComposing) return; // the key is for an input method, such as that of Japanese
  if (completions.handleKey(event)) return;
  if (event.key === "Escape") {
    tabLeavesEditor = true;
  } else if (event.key === "Tab" && !event.shiftKey && !tabLeavesEditor && !controller) {
    event.preventDefault();
    complete();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    generate();
  } else if (event.key !== "Tab") {
    tabLeavesEditor = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing) controller?.abort();
});
for (const type of ["blur", "input", "click"]) {
  editor.addEventListener(type, () => completions.close());
}
editor.addEventListener("input", onPromptChange);
editor.addEventListener("focus", () => (tabLeavesEditor = false));
byId("generate").addEventListener("click", generate);
byId("complete").addEventListener("click", complete);
byId("stop").addEventListener("click", () => controller?.abort());
byId("reset").addEventListener("click", () => settings?.reset());
byId("copy-settings").addEventListener("click", () => {
  share(byId("copy-settings"), settingsLink(editor.value, settings?.linkValues ?? {}));
});
byId("results").addEventListener("continue-text", (event) => write(event.detail));
byId("results").addEventListener("choose-token", (event) => {
  write(event.detail);
  nextTokens.openAfterToken();
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.key.set(byId("key").value);
  connect();
});

// Puts a text into the editor, to continue it.
function write(text) {
  editor.value = text;
  onPromptChange();
  editor.focus();
  editor.setSelectionRange(text.length, text.length);
  editor.scrollTop = editor.scrollHeight;
  editor.scrollIntoView({ block: "center" });
}

byId("not-started").remove();
byId("settings").open = !matchMedia("(max-width: 30rem)").matches;
addEventListener("hashchange", () => location.reload()); // a link pasted into the address bar
try {
  const isReading = await openReader((text) => {
    connect();
    write(text);
  });
  if (!isReading) connect();
} catch (error) {
  connect(error.message);
}
