// A static file server as any host is one, that a test can make fail.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json" };

/** Serves `roots`, URL prefixes to folders; `alter(url, bytes)` may change what is sent of a file. */
export async function serve(roots, { alter = (_url, bytes) => bytes, port = 0 } = {}) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://x").pathname;
    requests.push(url);
    const prefix = Object.keys(roots).filter((each) => url.startsWith(each)).sort((a, b) => b.length - a.length)[0];
    const file = prefix && path.join(roots[prefix], url.endsWith("/") ? "index.html" : url.slice(prefix.length));
    if (!file || !fs.existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
    response.end(alter(url, fs.readFileSync(file)));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    requests,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
