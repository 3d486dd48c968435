// What a reader with a slow line, an old eye or no eye finds: the page's size and speed, and what axe says of it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ask, button, defaultModel, launch, openSettings, pageFolder, serve, set, visit } from "./support.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let server, browser;
before(async () => {
  [server, browser] = await Promise.all([serve([defaultModel]), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

// What axe finds serious or critical, of what WCAG 2.2 AA asks for.
async function audit(page, what) {
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const found = violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map((violation) => `${what}: ${violation.id}: ${violation.nodes.map((node) => `${node.html} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
  assert.deepEqual(found, []);
}

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious in the ${colorScheme} page, empty, in use, with the settings, and on a phone`, async () => {
    // Around the policy of the page, which would not let axe in; nothing else of this test needs that.
    const { page, context } = await visit(browser, server.url, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await page.evaluate(axe);
    await audit(page, "empty");
    await set(page, { Temperature: 0, "Max tokens": 12, "Token probabilities": true });
    await ask(page, "What is the capital of France?");
    await audit(page, "an answer");
    await page.getByLabel("Show token probabilities").check();
    await page.locator(".token").nth(2).hover();
    await audit(page, "tokens");
    await button(page, "Edit").click();
    await openSettings(page);
    await page.getByLabel("Answer in JSON").check();
    await audit(page, "settings and an edit");
    await page.setViewportSize({ width: 360, height: 640 });
    await audit(page, "a phone, settings");
    await button(page, "Close the settings").click();
    await button(page, "Conversations").click();
    await audit(page, "a phone, the list");
    await context.close();
  });
}

test("axe finds nothing serious in the engine view, light and dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, context } = await visit(browser, `${server.url}/engine`, { colorScheme, bypassCSP: true });
    await page.getByText("Nothing runs.").waitFor();
    const answer = fetch(`${server.url}/v1/completions`, { method: "POST", body: JSON.stringify({ prompt: "Paper", max_tokens: 100, ignore_eos: true }) });
    await page.getByRole("region", { name: "Running" }).locator("tbody tr").waitFor();
    await button(page, "Pause").click();
    await page.evaluate(axe);
    await audit(page, `engine, ${colorScheme}`);
    assert.equal((await answer).status, 200);
    await context.close();
  }
});

test("the page is one request of at most 150 KiB, painted within 300 ms", async () => {
  const page = await (await browser.newContext()).newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(server.url, { waitUntil: "networkidle" }); // the first time the browser itself warms up
  const painted = [];
  for (let i = 0; i < 3; ++i) {
    requests.length = 0;
    await page.goto(server.url, { waitUntil: "networkidle" });
    painted.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  // The best of three: the other tests have the machine's other core.
  assert.ok(Math.min(...painted) <= 300, `${painted} ms`);
  assert.deepEqual(requests.filter((url) => !url.startsWith("data:")), [`${server.url}/`, `${server.url}/v1/models`]);
  const whole = Buffer.from(await (await fetch(server.url)).arrayBuffer());
  assert.ok(gzipSync(whole).length <= 64 * 1024, `${gzipSync(whole).length} bytes compressed`);
  assert.ok(whole.length <= 160 * 1024, `${whole.length} bytes as it is sent`);
  assert.equal(whole.toString(), readFileSync(path.join(pageFolder, "dist/page.html"), "utf8"), "the program has another page: build it");
  await page.context().close();
});
