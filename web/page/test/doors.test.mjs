// Keys, and a server without the page.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { ask, button, defaultModel, launch, serve, visit } from "./support.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser?.close());

test("where the server asks for a key the page asks for it, says when it is wrong, and keeps it for the session", async () => {
  const keys = path.join(os.tmpdir(), `quire-keys-${process.pid}`);
  await writeFile(keys, "open-sesame\n", { mode: 0o600 });
  const server = await serve([defaultModel], "--api-key-file", keys);
  const { page, check } = await visit(browser, server.url);
  const field = page.getByLabel("API key", { exact: true });
  await field.fill("wrong");
  await button(page, "Use this key").click();
  await page.getByText("The key is missing or wrong.").waitFor();
  await field.fill("open-sesame");
  await button(page, "Use this key").click();
  assert.match(await ask(page, "What is the capital of France?"), /Paris/);
  await page.reload();
  await page.getByText("Ask it something").waitFor();
  assert.equal(await field.isVisible(), false);
  assert.equal(await page.evaluate(() => localStorage.getItem("quire-api-key")), null);
  await check();
  await server.stop();
});

test("a server without the page answers / as anything it does not have", async () => {
  const server = await serve([defaultModel], "--no-web");
  for (const place of ["/", "/engine"]) {
    const response = await fetch(server.url + place);
    assert.equal(response.status, 404);
    assert.match((await response.json()).error.message, /^there is no \//);
  }
  await server.stop();
});
