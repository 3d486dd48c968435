// What the page does, with the default model behind it.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { answers, ask, button, defaultModel, finished, kept, launch, message, openSettings, serve, set, visit } from "./support.mjs";

const QUESTION = "What is the capital of France?";
let server, browser;
before(async () => {
  [server, browser] = await Promise.all([serve([defaultModel]), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const greedy = { Temperature: 0, "Max tokens": 24 };

test("a newcomer opens the page, asks and is answered, with the figures of the answer", async () => {
  const { page, check } = await visit(browser, server.url);
  await page.locator("#message:focus").waitFor();
  assert.match(await ask(page, QUESTION), /Paris/);
  const stats = await answers(page).locator(".stats").innerText();
  assert.match(stats, /\d+ tokens.*[\d.]+ tokens\/s.*first token \d+ ms.*\d+ of \d+ prompt tokens cached/s);
  assert.equal(await page.title(), `${QUESTION} · Quire`);
  await check();
});

test("the second message of a conversation finds the first in the cache", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 8 });
  await ask(page, "Name three colours, one a line, and nothing else please.");
  await ask(page, "And now three fruits.");
  const stats = await answers(page).last().locator(".stats").innerText();
  const [, cached, prompt] = /(\d+) of (\d+) prompt tokens cached/.exec(stats).map(Number);
  assert.ok(cached >= 16 && cached < prompt, stats);
  await check();
});

test("an answer streams, and Stop keeps what there is of it", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 1500 });
  await message(page).fill("Write a long story about a lighthouse.");
  await message(page).press("Enter");
  const text = answers(page).locator(".markdown");
  await page.waitForFunction(() => (document.querySelector(".markdown")?.textContent ?? "").length > 20);
  const early = (await text.innerText()).length;
  await page.waitForFunction((length) => document.querySelector(".markdown").textContent.length > length, early);
  await button(page, "Stop").click();
  await finished(page);
  assert.equal(await answers(page).locator(".end").innerText(), "Stopped");
  assert.equal(await button(page, "Send").isVisible(), true);
  assert.ok((await text.innerText()).length > early);
  await check();
});

test("Escape stops an answer as well", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 1500 });
  await message(page).fill("Write a long story about a lighthouse.");
  await message(page).press("Enter");
  await page.waitForFunction(() => (document.querySelector(".markdown")?.textContent ?? "").length > 5);
  await page.keyboard.press("Escape");
  await finished(page);
  assert.equal(await answers(page).locator(".end").innerText(), "Stopped");
  await check();
});

test("regenerating and editing make branches that one can go between", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, greedy);
  const first = await ask(page, QUESTION);
  await button(page, "Regenerate").click();
  const versions = answers(page).getByRole("group", { name: "Versions" });
  await versions.getByText("2/2").waitFor();
  await button(page, "Earlier version").click();
  await versions.getByText("1/2").waitFor();
  assert.equal(await answers(page).locator(".markdown").innerText(), first);
  await button(page, "Edit").click();
  await page.getByRole("textbox", { name: "Edited message" }).fill("What is the capital of Italy?");
  await button(page, "Send as a new version").click();
  await page.locator(".bubble", { hasText: "capital of Italy?" }).waitFor();
  await answers(page).locator(".stats").waitFor();
  await finished(page);
  assert.notEqual(await answers(page).locator(".markdown").innerText(), first);
  const asked = page.getByRole("article", { name: "You" });
  await asked.getByText("2/2").waitFor();
  await button(page, "Earlier version").click();
  await page.getByText(QUESTION).last().waitFor();
  assert.equal(await answers(page).locator(".markdown").innerText(), first);
  await check();
});

test("several conversations are kept in the browser, renamed and deleted", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 4 });
  await ask(page, "First talk");
  await button(page, "New chat").click();
  await page.getByText("Ask it something").waitFor();
  await ask(page, "Second talk");
  await button(page, "Rename the conversation").click();
  await page.getByRole("textbox", { name: "Title" }).fill("Renamed");
  await button(page, "Rename").click();
  await kept(page, "Renamed");
  await page.reload();
  const list = page.getByRole("navigation", { name: "Conversations" });
  await list.getByRole("button", { name: "First talk", exact: true }).click();
  await page.locator(".bubble", { hasText: "First talk" }).waitFor();
  await list.getByRole("button", { name: "Renamed", exact: true }).click();
  await page.locator(".bubble", { hasText: "Second talk" }).waitFor();
  await button(page, 'Delete "Renamed"').click();
  await button(page, 'Delete "Renamed" for good').click();
  await list.getByRole("button", { name: "Renamed", exact: true }).waitFor({ state: "detached" });
  await page.reload();
  await list.getByRole("button", { name: "First talk", exact: true }).waitFor();
  assert.equal(await list.locator(".conversation").count(), 1);
  await check();
});

test("conversations are exported as JSON and imported into another browser, branches and all", async () => {
  const one = await visit(browser, server.url);
  await set(one.page, { ...greedy, "System prompt": "You are terse." });
  await ask(one.page, QUESTION);
  await button(one.page, "Regenerate").click();
  await answers(one.page).getByText("2/2").waitFor();
  const download = one.page.waitForEvent("download");
  await button(one.page, "Export all conversations").click();
  const file = path.join(os.tmpdir(), `quire-export-${process.pid}.json`);
  await (await download).saveAs(file);
  const other = await visit(browser, server.url);
  await other.page.getByLabel("Import conversations").setInputFiles(file);
  await answers(other.page).getByText("2/2").waitFor();
  assert.equal(await answers(other.page).locator(".markdown").innerText(), await answers(one.page).locator(".markdown").innerText());
  const panel = await openSettings(other.page);
  assert.equal(await panel.getByLabel("System prompt").inputValue(), "You are terse.");
  const exported = JSON.parse(await readFile(file, "utf8"));
  assert.equal(exported.format, "quire-conversations");
  await writeFile(file, JSON.stringify({ ...exported, format: "another" }));
  await other.page.getByLabel("Import conversations").setInputFiles(file);
  await other.page.getByText("Nothing was imported: the file is none of this page's exports.").waitFor();
  await one.check();
  await other.check();
});

test("sampling settings and the system prompt reach the server", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0.5, "Top p": 0.9, "Top k": 40, "Min p": 0.05, "Repetition penalty": 1.1, Seed: 7,
    "Max tokens": 5, "Stop strings, one a line": "END\nSTOP", "System prompt": "Answer in one word." });
  const sent = page.waitForRequest("**/v1/chat/completions");
  await ask(page, QUESTION);
  const { messages, stop, ...body } = (await sent).postDataJSON();
  assert.deepEqual(messages, [{ role: "system", content: "Answer in one word." }, { role: "user", content: QUESTION }]);
  assert.deepEqual(stop, ["END", "STOP"]);
  assert.deepEqual(body, { stream: true, stream_options: { include_usage: true }, temperature: 0.5, top_p: 0.9, top_k: 40,
    min_p: 0.05, repetition_penalty: 1.1, seed: 7, max_tokens: 5 });
  assert.equal(await answers(page).locator(".end").innerText(), "Cut off: the limit of tokens is reached");
  await check();
});

test("an answer in JSON follows the schema, and a schema that is no JSON is said to be none", async () => {
  const { page, check } = await visit(browser, server.url);
  const schema = { type: "object", properties: { capital: { type: "string", maxLength: 20 } }, required: ["capital"], additionalProperties: false };
  await set(page, { Temperature: 0, "Answer in JSON": true, "JSON schema": JSON.stringify(schema) });
  const answer = JSON.parse(await ask(page, QUESTION));
  assert.deepEqual(Object.keys(answer), ["capital"]);
  await set(page, { "JSON schema": "{" });
  await message(page).fill("again");
  await message(page).press("Enter");
  await page.getByText("The JSON schema in the settings is no JSON.").first().waitFor();
  await check();
});

test("each token's alternatives show on hover and by the arrow keys", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 12, "Token probabilities": true });
  const text = await ask(page, QUESTION);
  await page.getByLabel("Show token probabilities").check();
  const tokens = page.locator(".token");
  assert.ok((await tokens.allInnerTexts()).join("").startsWith(text.trim())); // and the token that ends it
  await tokens.first().hover();
  const hint = page.getByRole("tooltip");
  assert.equal(await hint.locator(".row").count(), 5);
  assert.match(await hint.locator(".chosen").innerText(), /%/);
  await tokens.first().focus();
  await page.keyboard.press("ArrowRight");
  const second = (await tokens.nth(1).innerText()).trim();
  assert.ok((await hint.locator(".chosen code").innerText()).includes(second));
  await check();
});

test("the whole page works by the keyboard alone", async () => {
  const { page, check } = await visit(browser, server.url);
  await page.locator("#message:focus").waitFor();
  await page.keyboard.type("Say hi");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("and bye");
  await page.keyboard.press("Enter");
  await finished(page);
  assert.equal(await page.locator(".bubble").innerText(), "Say hi\nand bye");
  await page.keyboard.press("Alt+n");
  await page.getByText("Ask it something").waitFor();
  // Every control is reached by Tab, in the order of the page, and shows where the focus is.
  await page.evaluate(() => document.activeElement.blur());
  const seen = [];
  for (let i = 0; i < 20; ++i) {
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => {
      const at = document.activeElement;
      const ring = getComputedStyle(at).outlineStyle !== "none" || at.closest(":focus-within:not(body *:has(main))");
      return `${at.getAttribute("aria-label") ?? at.textContent.trim()}${ring ? "" : " (no ring)"}`;
    }));
  }
  for (const name of ["Skip to the message box", "New chat", "Engine view", "Export all conversations", "Import conversations", "Settings", "Message"]) {
    assert.ok(seen.includes(name), `${name} in ${seen.join(", ")}`);
  }
  await check();
});

test("a screen reader hears that an answer begins and what it says", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, greedy);
  const text = await ask(page, QUESTION);
  const spoken = await page.getByRole("status").innerText();
  assert.ok(spoken.startsWith("Answer: ") && spoken.includes(text.slice(0, 10)), spoken);
  await check();
});

test("right-to-left text runs right to left", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 4 });
  await ask(page, "ما هي عاصمة فرنسا؟");
  const direction = (selector) => page.locator(selector).first().evaluate((element) => getComputedStyle(element).direction);
  assert.equal(await direction(".bubble"), "rtl");
  assert.equal(await direction(".title h1"), "rtl");
  await message(page).fill("שלום");
  assert.equal(await direction("#message"), "rtl");
  await message(page).fill("hello");
  assert.equal(await direction("#message"), "ltr");
  await check();
});

test("at a phone's width the list and the settings come over the conversation, and nothing is cut off", async () => {
  const { page, check } = await visit(browser, server.url, { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true });
  await set(page, greedy);
  assert.match(await ask(page, QUESTION), /Paris/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  const chat = button(page, "New chat");
  assert.equal(await chat.isVisible(), false);
  await button(page, "Conversations").click();
  await chat.click();
  await page.getByText("Ask it something").waitFor();
  await chat.waitFor({ state: "hidden" });
  await check();
});

test("light and dark follow the system, and the reader's choice goes before", async () => {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await visit(browser, server.url, { colorScheme: "dark" });
  const light = await visit(browser, server.url, { colorScheme: "light" });
  const [night, day] = [await ground(dark.page), await ground(light.page)];
  assert.notEqual(night, day);
  await dark.page.getByLabel("Theme").selectOption("Light");
  assert.equal(await ground(dark.page), day);
  await dark.page.reload();
  assert.equal(await ground(dark.page), day);
  await dark.check();
  await light.check();
});

test("what the server refuses is said where the answer would be", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Calculator: true });
  await message(page).fill(QUESTION);
  await message(page).press("Enter");
  const alert = page.getByRole("article", { name: "Answer" }).getByRole("alert");
  assert.match(await alert.innerText(), /tools/);
  await check();
});
