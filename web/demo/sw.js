// Keeps the page itself for when there is no network: the newest where there is one. The model's files are
// @quire/web's affair (OPFS), too large for here.
const CACHE = "quire-demo";
const SHELL = ["./", "index.html", "demo.js", "manifest.webmanifest", "quire/src/index.js", "quire/src/core.js",
  "quire/src/store.js", "quire/src/wasi.js", "quire/src/worker.js", "quire/dist/quire.wasm"];

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)));
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  const scope = new URL(self.registration.scope);
  const name = address.pathname.slice(scope.pathname.length);
  if (event.request.method !== "GET" || address.origin !== scope.origin || !(SHELL.includes(name) || name === "")) return;
  event.respondWith(fetch(event.request).then(async (response) => {
    if (response.ok) await (await caches.open(CACHE)).put(event.request, response.clone());
    return response;
  }).catch(() => caches.match(event.request, { ignoreSearch: true })));
});
