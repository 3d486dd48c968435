// @quire/web and the demo page in headless Chromium, from a static file server: node --test
// web/wasm/test/browser.test.mjs, after scripts/build_wasm.sh. CHROMIUM names the browser.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { serve } from "./file_server.mjs";

const quire = process.env.QUIRE ?? "build/release/quire";
const model = process.env.MODEL ?? "models/smollm2-135m-instruct";
const roots = { "/": "build/demo/", "/model/": model + "/", "/damaged/": model + "/" };
const PATIENCE = 240_000; // a loaded machine; nothing waits for it to pass

let browser, context, server, damage = false;

before(async () => {
  server = await serve(roots, {
    alter: (url, bytes) => {
      if (damage && url === "/damaged/tokenizer.json") bytes[1000] ^= 1;
      return bytes;
    },
  });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const question = "What is the capital of France?";
const native = (max) => JSON.parse(execFileSync(quire, ["generate", "-m", model, "--json", "--max-tokens", String(max), question], {
  env: { ...process.env, QUIRE_ISA: "portable" },
})).outputs[0];

// A page of the same origin without the demo's own model.
async function emptyPage() {
  const page = await context.newPage();
  const address = server.origin + "/empty.html";
  await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: "<title>empty</title>" }));
  await page.goto(address);
  return page;
}

// Runs `body(load, argument)` in the page with @quire/web.
const inPage = (page, body, argument) => page.evaluate(async ([source, value]) => {
  const { load } = await import("/quire/src/index.js");
  return (0, eval)(`(${source})`)(load, value);
}, [String(body), argument]);

test("a damaged download is refused by name, is not kept, and loads once it is whole", async () => {
  const page = await emptyPage();
  const attempt = (load) => load("/damaged/").then((llm) => (llm.close(), "loaded"), (error) => `${error.code}: ${error.message}`);
  damage = true;
  assert.match(await inPage(page, attempt), /^damaged_download: .*tokenizer\.json is damaged/);
  damage = false;
  const before = server.requests.length;
  assert.equal(await inPage(page, attempt), "loaded");
  // What was whole is not fetched again.
  const fetched = server.requests.slice(before);
  assert.ok(fetched.includes("/damaged/tokenizer.json"));
  assert.ok(!fetched.includes("/damaged/model.onnx.data"));
  await page.close();
});

test("the answer streams in, piece by piece, with the native program's tokens", async () => {
  const page = await emptyPage();
  const got = await inPage(page, async (load, asked) => {
    const progress = [];
    const llm = await load("/model/", { onProgress: (each) => progress.push(each) });
    const deltas = [];
    for await (const delta of llm.chat([{ role: "user", content: asked }], { maxTokens: 32 })) deltas.push(delta);
    const ids = await llm.tokenize("Hello world");
    llm.close();
    return { progress, deltas, ids };
  }, question);
  const want = native(32);
  assert.deepEqual(got.deltas.flatMap((delta) => delta.tokens), want.token_ids);
  assert.equal(got.deltas.map((delta) => delta.text).join(""), want.text);
  assert.equal(got.deltas.at(-1).finishReason, want.finish_reason);
  assert.ok(got.deltas.length >= 5);
  assert.equal(got.ids.length, 2);
  assert.ok(got.progress.length > 20, `${got.progress.length} pieces`);
  assert.equal(got.progress.at(-1).loaded, got.progress.at(-1).total);
  await page.close();
});

test("an abort ends the answer at once, and the next one is right", async () => {
  const page = await emptyPage();
  const got = await inPage(page, async (load, asked) => {
    const llm = await load("/model/");
    const stop = new AbortController();
    let pieces = 0, reason;
    try {
      for await (const _ of llm.generate("Once upon a time", { maxTokens: 2000, signal: stop.signal })) {
        if (++pieces === 3) stop.abort();
      }
    } catch (error) {
      reason = error.name;
    }
    for await (const _ of llm.generate("Once upon a time", { maxTokens: 2000 })) break; // also gives up its place
    const tokens = [];
    for await (const delta of llm.chat([{ role: "user", content: asked }], { maxTokens: 8 })) tokens.push(...delta.tokens);
    const refused = await llm.chat([{ role: "user", content: asked }], { maxTokens: 8, tempature: 1 }).next().catch((error) => error.message);
    llm.close();
    const closed = await llm.tokenize("a").catch((error) => error.code);
    return { pieces, reason, tokens, refused, closed };
  }, question);
  assert.deepEqual({ pieces: got.pieces, reason: got.reason, closed: got.closed }, { pieces: 3, reason: "AbortError", closed: "closed" });
  assert.deepEqual(got.tokens, native(8).token_ids);
  assert.match(got.refused, /tempature/);
  await page.close();
});

const ask = async (page) => {
  await page.getByRole("textbox", { name: "Message" }).fill(question);
  await page.getByRole("button", { name: "Send" }).click();
  const line = page.locator("#log .assistant").last();
  await page.waitForFunction(() => !document.getElementById("send").disabled);
  return line.textContent();
};

test("two tabs answer side by side, and after a reload the page works without a network", async () => {
  const want = native(400).text;
  const pages = [await context.newPage(), await context.newPage()];
  await Promise.all(pages.map((page) => page.goto(server.origin + "/")));
  await Promise.all(pages.map((page) => page.waitForFunction(() => !document.getElementById("send").disabled)));
  assert.deepEqual(await Promise.all(pages.map(ask)), [want, want]);
  await pages[1].close();
  await pages[0].evaluate(() => navigator.serviceWorker.ready);
  const { port } = server;
  await server.close();
  try {
    await pages[0].reload();
    await pages[0].waitForFunction(() => !document.getElementById("send").disabled);
    assert.equal(await ask(pages[0]), want);
  } finally {
    server = await serve(roots, { port });
  }
  await pages[0].close();
});
