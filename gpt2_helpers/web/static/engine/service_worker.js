// Keeps the site's own files, so that it opens offline; the model's are kept by downloads.js. The first
// line of sw.js, which the export writes above this, sets VERSION, a hash of the files, and FILES.
/* global VERSION, FILES */

const scope = self.registration.scope;
const START = `gpt2-site:${new URL(scope).pathname}:`;
const CURRENT = START + VERSION;

self.addEventListener("install", (event) => {
  event.waitUntil(addFiles().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(removeOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || !FILES.includes(url.href.slice(scope.length).split(/[?#]/)[0])) return;
  if (!url.href.startsWith(scope)) return;
  event.respondWith(answer(request));
});

async function addFiles() {
  const responses = await Promise.all(FILES.map(fetched)); // all or none
  const cache = await caches.open(CURRENT);
  await Promise.all(responses.map((response, at) => cache.put(new URL(FILES[at], scope), response)));
}

async function fetched(file) {
  const response = await fetch(new URL(file, scope), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${file} cannot be loaded: status ${response.status}`);
  // A new response, since some hosts redirect how.html to how, and browsers refuse a response that was
  // redirected as the answer to a navigation.
  return new Response(await response.blob(), { headers: response.headers });
}

// From the cache. The host answers for a file that it lacks, and if it cannot be read.
async function answer(request) {
  const found = await caches.open(CURRENT).then((cache) => cache.match(request, { ignoreSearch: true })).catch(() => null);
  return found ?? fetch(request);
}

async function removeOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(START) && name !== CURRENT).map((name) => caches.delete(name)));
}
