// The view of the engine, with the default model at work behind it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { button, defaultModel, launch, serve, visit } from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([serve([defaultModel], "--kv-blocks", "600"), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const SHARED = "You are a careful clerk of a paper mill. Read what follows twice, then answer in one short sentence. ".repeat(4);
const SECRET = "xylophone-marmalade";

async function crowd(count, tokens) {
  const one = async (index) => {
    const messages = [{ role: "system", content: SHARED }, { role: "user", content: `${SECRET} number ${index}: what is paper?` }];
    const response = await fetch(`${server.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ messages, max_tokens: tokens, ignore_eos: true, temperature: 0 }) });
    assert.equal(response.status, 200);
    return (await response.json()).usage;
  };
  return Promise.all(Array.from({ length: count }, (_, index) => one(index)));
}
const state = async (query = "") => (await fetch(`${server.url}/debug/engine${query}`)).json();

test("/debug/engine tells who runs, whose the blocks are and what each step computed, and no text", async () => {
  await state(); // from here on steps are recorded
  const answers = crowd(6, 40);
  let seen;
  do seen = (await state()).models[0];
  while (seen.running.length < 6);
  const text = JSON.stringify(await state());
  assert.ok(!text.includes(SECRET) && !text.includes("paper"));
  // Sequences that begin alike hold the same blocks there, each its own behind.
  const [first, ...others] = seen.running;
  assert.ok(first.blocks.length > 4);
  for (const other of others) {
    assert.deepEqual(other.blocks.slice(0, 4), first.blocks.slice(0, 4));
    assert.notEqual(other.blocks.at(-1), first.blocks.at(-1));
  }
  const used = new Set(seen.running.flatMap((sequence) => sequence.blocks));
  assert.equal(used.size, seen.used_blocks);
  assert.ok(seen.free_findable_blocks.every((block) => !used.has(block)));
  for (const sequence of seen.running) {
    assert.ok(sequence.blocks.length * seen.block_size >= sequence.computed_tokens);
    assert.ok(sequence.computed_tokens <= sequence.tokens);
  }
  const usages = await answers;
  const after = (await state()).models[0];
  assert.deepEqual([after.running, after.waiting, after.used_blocks], [[], [], 0]);
  // The steps add up to what was computed: every token of a prompt that was not found, and every token but the last of an answer.
  const computed = after.steps.flatMap((step) => step.sequences).reduce((sum, [, , fresh]) => sum + fresh, 0);
  const wanted = usages.reduce((sum, usage) => sum + usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens + usage.completion_tokens - 1, 0);
  assert.equal(computed, wanted);
  assert.ok(after.steps.reduce((sum, step) => sum + step.hit_tokens, 0) > 0);
  const last = after.steps.at(-1).number;
  assert.deepEqual(after.steps.map((step) => step.number), Array.from({ length: after.steps.length }, (_, i) => last - after.steps.length + 1 + i));
  assert.deepEqual((await state(`?since=${last - 3}`)).models[0].steps.map((step) => step.number), [last - 2, last - 1, last]);
  assert.deepEqual((await state(`?since=${last}`)).models[0].steps, []);
});

test("another query is refused by name", async () => {
  for (const query of ["?since=x", "?since=-1", "?since=", "?after=1"]) {
    const response = await fetch(`${server.url}/debug/engine${query}`);
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error.param, "since");
  }
});

test("the view follows a crowd: running requests, steps, shared blocks, and what a tile and a step are", async () => {
  const { page, check } = await visit(browser, `${server.url}/engine`);
  await page.getByText("Nothing runs.").waitFor();
  const answers = crowd(6, 60);
  const running = page.getByRole("region", { name: "Running" });
  await running.locator("tbody tr").nth(5).waitFor();
  const blocks = page.getByRole("region", { name: "Blocks" });
  await blocks.getByText(/[1-9]\d* shared/).waitFor();
  await blocks.locator("canvas").hover({ position: { x: 4, y: 4 } });
  await blocks.getByText(/^block 0: /).waitFor();
  const steps = page.getByRole("region", { name: "Steps" });
  await steps.getByText(/step \d+: \d+ tokens in [\d.]+ ms · \d+ decoding/).waitFor();
  await answers;
  await page.getByText("Nothing runs.").waitFor();
  // What is drawn is not blank.
  const drawn = await steps.locator("canvas").evaluate((canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0));
  assert.equal(drawn, true);
  await button(page, "Pause").click();
  await button(page, "Go on").waitFor();
  await check();
});

test("where others can connect, /debug/engine is there only when asked for, and behind the keys", async () => {
  const keys = path.join(os.tmpdir(), `quire-engine-keys-${process.pid}`);
  await writeFile(keys, "open-sesame\n", { mode: 0o600 });
  const local = (url) => url.replace("0.0.0.0", "127.0.0.1");
  const headers = { Authorization: "Bearer open-sesame" };
  const closed = await serve([defaultModel], "--host", "0.0.0.0", "--api-key-file", keys);
  assert.equal((await fetch(`${local(closed.url)}/debug/engine`, { headers })).status, 404);
  await closed.stop();
  const open = await serve([defaultModel], "--host", "0.0.0.0", "--api-key-file", keys, "--debug-engine");
  assert.equal((await fetch(`${local(open.url)}/debug/engine`)).status, 401);
  assert.equal((await fetch(`${local(open.url)}/debug/engine`, { headers })).status, 200);
  await open.stop();
});
