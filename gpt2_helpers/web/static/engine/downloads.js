// Fetches files with progress, checks their hashes, and keeps them in the browser's Cache Storage.

import { EngineError } from "./errors.js";

const MAX_ATTEMPTS = 3;
const KEPT = "gpt2-model:"; // start of the cache's name; the site's path follows
const RATE_DELAY = 1000; // milliseconds after which the remaining time is estimated
const REMEDY = "Reload the page if the site was just updated; otherwise its owner must upload the file again.";

// Fetches files, each {url, size, sha256}, one after another, and returns their bytes by URL. Files that
// are not in `kept` are deleted from the cache of the site at `path`. `onProgress` is called with
// {loaded, total, seconds}: bytes, and the remaining seconds or null.
export async function fetchFiles(files, kept, path, onProgress) {
  const cache = await openCache(path);
  await forgetOthers(cache, kept);
  const progress = new Progress(files, onProgress);
  const found = new Map();
  for (const file of files) {
    found.set(file.url, (await fromCache(cache, file, progress)) ?? (await fromSite(cache, file, progress)));
  }
  return found;
}

class Progress {
  constructor(files, onProgress) {
    this.total = files.reduce((sum, { size }) => sum + size, 0);
    this.onProgress = onProgress;
    this.cached = this.fetched = 0;
    this.start = null; // of the first fetch
  }

  add({ cached = 0, fetched = 0 }) {
    this.cached += cached;
    this.fetched += fetched;
    const loaded = this.cached + this.fetched;
    if (fetched) this.start ??= performance.now();
    const elapsed = performance.now() - this.start;
    const isKnown = this.fetched > 0 && elapsed > RATE_DELAY;
    const seconds = isKnown ? ((this.total - loaded) * elapsed) / this.fetched / 1000 : null;
    this.onProgress({ loaded, total: this.total, seconds });
  }
}

// A browser without Cache Storage, or one that refuses it, loads the files on each visit. So does one
// whose cache cannot be read or written, for example because the disk is full.
async function openCache(path) {
  try {
    return await caches.open(KEPT + path);
  } catch {
    return null;
  }
}

// The hash is part of a file's key, so that a new version of a model never gets old files.
const keyOf = ({ url, sha256 }) => `${url}?sha256=${sha256}`;

async function forgetOthers(cache, files) {
  const kept = new Set(files.map(keyOf));
  for (const request of (await cache?.keys().catch(() => null)) ?? []) {
    if (!kept.has(request.url)) await cache.delete(request).catch(() => {});
  }
}

async function fromCache(cache, file, progress) {
  const content = await cache?.match(keyOf(file)).then((found) => found?.arrayBuffer()).catch(() => null);
  if (!content) return null;
  const bytes = new Uint8Array(content);
  if (await isIntact(bytes, file)) {
    progress.add({ cached: file.size });
    return bytes;
  }
  await cache.delete(keyOf(file)).catch(() => {});
  return null;
}

async function fromSite(cache, file, progress) {
  let failure;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const before = progress.fetched;
    try {
      const bytes = await read(file, attempt, progress);
      await cache?.put(keyOf(file), new Response(bytes)).catch(() => {}); // the disk may be full
      return bytes;
    } catch (error) {
      failure = error;
      progress.add({ fetched: before - progress.fetched });
      if (error.isFinal) break;
    }
  }
  throw failure;
}

async function read(file, attempt, progress) {
  const name = file.url.split("/").at(-1);
  let response;
  try {
    // A damaged file may come from the browser's HTTP cache: it is not asked again.
    response = await fetch(file.url, { cache: attempt > 1 ? "reload" : "default" });
  } catch {
    throw new EngineError(`The file ${name} cannot be loaded: check the connection.`, true);
  }
  if (!response.ok) {
    const error = new EngineError(
      `The file ${name} cannot be loaded: the site answered with status ${response.status}. ${REMEDY}`,
    );
    error.isFinal = response.status < 500;
    throw error;
  }
  const bytes = new Uint8Array(file.size);
  let size = 0;
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      if (size + value.length <= file.size) bytes.set(value, size);
      size += value.length;
      progress.add({ fetched: value.length });
    }
  } catch {
    throw new EngineError(`The file ${name} was not loaded completely: check the connection.`, true);
  }
  if (size === file.size && (await isIntact(bytes, file))) return bytes;
  const problem = size === file.size
    ? "its hash is wrong"
    : `it has ${size.toLocaleString("en")} bytes instead of ${file.size.toLocaleString("en")}`;
  throw new EngineError(`The file ${name} is damaged on this site: ${problem}. ${REMEDY}`);
}

// Whether bytes have the size and the hash of a file. Without https there is no `crypto.subtle`, and
// only the size is checked.
async function isIntact(bytes, { size, sha256 }) {
  if (bytes.length !== size) return false;
  if (!crypto.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}
