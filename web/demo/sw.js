// Keeps the page itself for when there is no network: the newest where there is one. The model's files are
// @quire/web's affair (OPFS), too large for here.
const CACHE = "quire-demo";
const SHELL = ["./", "index.html", "demo.js", "manifest.webmanifest", "quire/src/index.js", "quire/src/core.js",
  "quire/src/store.js", "quire/src/thread.js", "quire/src/wasi.js", "quire/src/worker.js", "quire/dist/quire.wasm",
  "quire/dist/quire_threads.wasm"];

// What makes the page cross-origin isolated, so that its threads may share a memory: file hosts seldom let
// one set them. They count from the second visit on.
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
function isolated(response) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

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
    return isolated(response);
  }).catch(async () => isolated(await caches.match(event.request, { ignoreSearch: true }))));
});
