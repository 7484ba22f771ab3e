// The page's side of a model in this browser: the same functions as the client of the server's API.

import { EngineError, megabytes } from "./errors.js";

const PREPARE_DELAY = 400; // milliseconds without typing
const base = new URL("./", document.baseURI).href;

let site = null; // site.json
let worker = null;
let loading = null; // promise of the loaded model
let report = () => {}; // shows the progress of loading
// For tests and comparisons.
const wanted = new URLSearchParams(location.search);
const wantedThreads = Math.max(0, Math.trunc(Number(wanted.get("threads")))) || 0;
let device = wanted.get("device");
let prepareTimer = 0;
let lastId = 0;
const requests = new Map(); // id -> {resolve, reject, onEvent}

export const key = { get: () => null, set: () => {} }; // only servers have keys

// The service worker makes the site available offline. Without https there is none.
navigator.serviceWorker?.register(new URL("sw.js", base)).catch(() => {});

// Describes the model, as /api/model does.
export async function model() {
  if (!site) {
    const response = await fetch(new URL("site.json", base)).catch(() => null);
    if (!response?.ok) throw new EngineError("The page cannot be loaded completely: check the connection.", true);
    site = await response.json().catch(() => {
      throw new EngineError("The file site.json is damaged on this site: its owner must upload the folder again.");
    });
  }
  return site.info;
}

// Loads the model, unless it is loaded. `onProgress` is also called if the model is loaded again after
// a failure. It gets {message, amount, fraction}, where the fraction is null once all is loaded, and
// null at the end.
export function load(onProgress = report) {
  report = onProgress;
  loading ??= start().catch((error) => {
    loading = null; // another attempt starts over
    throw error;
  }).finally(() => report(null));
  return loading;
}

// Calls on.text(index, text) and on.end(index, {tokens, finish_reason, ignored_tokens}); returns at the end.
export function stream({ model: _, ...request }, on, signal) {
  return ask("stream", request, signal, ({ index, text, ...end }) => {
    if (text !== undefined) on.text(index, text);
    else on.end(index, end);
  });
}

export function complete(text, _, signal) {
  return ask("complete", { text }, signal);
}

export function score(text, _, signal) {
  return ask("score", { text }, signal);
}

export function nextTokens(text, ids, _, signal) {
  return ask("nextTokens", { text, ids }, signal);
}

// Computes a prompt in advance, once the user has stopped typing.
export function prepare(text) {
  clearTimeout(prepareTimer);
  if (!loading || requests.size) return;
  prepareTimer = setTimeout(() => {
    if (!requests.size) ask("prepare", { text }).catch(() => {});
  }, PREPARE_DELAY);
}

async function start() {
  await model();
  if (typeof WebAssembly !== "object") {
    throw new EngineError("This browser has no WebAssembly, which the model needs: use another browser.");
  }
  try {
    return await startWorker();
  } catch (error) {
    if (!error.isOfGpu) throw error;
    // The GPU has too little memory, or lacks an operation.
    device = "wasm";
    return startWorker();
  }
}

// Loads the model in a new worker: only its end frees all memory of the one before.
function startWorker() {
  worker?.terminate();
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", onMessage);
  worker.addEventListener("error", onFailure);
  const options = { site, base, wanted: device, wantedThreads };
  return send("load", options, undefined, (progress) => report(described(progress)));
}

function described({ loaded, total, seconds }) {
  if (loaded === total) return { message: "Starting the model …", amount: "", fraction: null };
  const left = seconds === null ? "" : `, ${remaining(seconds)} left`;
  const amount = `${megabytes(loaded)} of ${megabytes(total)} MB${left}`;
  return { message: "Loading the model:", amount, fraction: loaded / total };
}

function remaining(seconds) {
  return seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

async function ask(method, value, signal, onEvent) {
  clearTimeout(prepareTimer);
  await unlessStopped(load(), signal);
  try {
    return await send(method, value, signal, onEvent);
  } catch (error) {
    if (error.isOfGpu) device = "wasm";
    if (error.isOfRuntime) restart(error);
    throw error;
  }
}

// The result of a promise, or an AbortError at once if the user does not wait for it.
function unlessStopped(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("stopped", "AbortError"));
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal?.removeEventListener("abort", stop));
  });
}

function send(method, value, signal, onEvent = () => {}) {
  const id = (lastId += 1);
  return new Promise((resolve, reject) => {
    const cancel = () => {
      worker.postMessage({ cancel: id });
      finish(id);
      reject(new DOMException("stopped", "AbortError"));
    };
    if (signal?.aborted) return reject(new DOMException("stopped", "AbortError"));
    signal?.addEventListener("abort", cancel, { once: true });
    requests.set(id, { resolve, reject, onEvent, release: () => signal?.removeEventListener("abort", cancel) });
    worker.postMessage({ id, method, value });
  });
}

function finish(id) {
  requests.get(id)?.release();
  requests.delete(id);
}

function onMessage({ data: { id, event, error, result } }) {
  const request = requests.get(id);
  if (!request) return; // cancelled
  if (event) return request.onEvent(event);
  finish(id);
  if (error) request.reject(Object.assign(new Error(error.message), error));
  else request.resolve(result);
}

// The worker could not be started, or broke down.
function onFailure({ message }) {
  restart(new EngineError(message
    ? `The model stopped: ${message}. Try again to restart it.`
    : "A script of this page cannot be loaded: check the connection, and reload the page. If that does not " +
      "help, update the browser."));
}

// Lets the next request load the model again, since the runtime cannot be used after a failure.
function restart(error) {
  worker.terminate();
  loading = null;
  for (const [id, { reject }] of [...requests]) {
    finish(id);
    reject(error);
  }
}
