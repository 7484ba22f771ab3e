// Keeps the site's own files, so that it opens offline; the model's are kept by downloads.js. The first
// line of sw.js, which the export writes above this, sets VERSION, a hash of the files, and FILES.
/* global VERSION, FILES */

const scope = self.registration.scope;
const START = `gpt2-site:${new URL(scope).pathname}:`;
const CURRENT = START + VERSION;

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(new URL(file, scope), { cache: "no-cache" }));
  event.waitUntil(caches.open(CURRENT).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
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

async function answer(request) {
  const cache = await caches.open(CURRENT);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

async function removeOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(START) && name !== CURRENT).map((name) => caches.delete(name)));
}
