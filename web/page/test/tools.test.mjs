// Tool calls and thoughts, with a model whose answers are known (scripted.py makes it).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, ask, button, launch, message, serve, set, visit } from "./support.mjs";

const scripted = process.env.QUIRE_SCRIPTED_PACKAGE;
assert.ok(scripted, "set QUIRE_SCRIPTED_PACKAGE to what web/page/test/scripted.py prints, as scripts/test.sh web does");
let server, browser;
before(async () => {
  [server, browser] = await Promise.all([serve([scripted]), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a call of the calculator is shown, run here, and its result goes back to the model", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Calculator: true });
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.postDataJSON()));
  await message(page).fill("What is 17 and 4, twice?");
  await message(page).press("Enter");
  await answers(page).filter({ hasText: "It is forty-two." }).waitFor();
  const call = page.getByRole("group", { name: "Tool call: calculator" });
  assert.deepEqual(JSON.parse(await call.locator("code").innerText()), { expression: "(17 + 4) * 2" });
  assert.equal(await page.getByRole("group", { name: "Tool result" }).locator("code").innerText(), "42");
  assert.equal(sent.length, 2);
  assert.equal(sent[0].tools[0].function.name, "calculator");
  assert.deepEqual(sent[1].messages.slice(1).map(({ role }) => role), ["assistant", "tool"]);
  assert.equal(sent[1].messages[2].content, "42");
  assert.equal(sent[1].messages[2].tool_call_id, sent[1].messages[1].tool_calls[0].id);
  await check();
});

test("what the model thinks is folded away and counted", async () => {
  const { page, check } = await visit(browser, server.url);
  assert.equal(await ask(page, "Hi"), "Hello there.");
  const thoughts = page.getByText("A greeting, then.");
  assert.equal(await thoughts.isVisible(), false);
  await page.getByText("Thoughts", { exact: true }).click();
  assert.equal(await thoughts.isVisible(), true);
  assert.equal(await page.locator(".markdown strong").innerText(), "there");
  assert.match(await answers(page).locator(".stats").innerText(), /\d+ of them thoughts/);
  await check();
});

test("the calculator computes arithmetic and says what it cannot", async () => {
  const { page, check } = await visit(browser, server.url);
  const cases = {
    "1 + 2 * 3": "7", "2 ** 3 ** 2": "512", "-2 ** 2": "-4", "(1 - 3) / 4": "-0.5", "7 % 4": "3", "1,000 * 2": "2000", "0.1 + 0.2": "0.3",
    "sqrt(16) + abs(-1)": "5", "2 × 3 ÷ 4": "1.5", "1e3 + .5": "1000.5", "round(pi)": "3",
    "1 / 0": "error: division by zero", "1 +": "error: it ends too early", "fetch(1)": 'error: "fetch" is not known', "(1": "error: a parenthesis is not closed",
    "1 2": 'error: "2" is not expected there', "constructor(1)": 'error: "constructor" is not known', "9 ** 9 ** 9": "error: the result is no finite number",
    ["(".repeat(500) + "1"]: "error: it is nested too deep", ["1+".repeat(600)]: "error: it is longer than 1000 characters",
  };
  const list = Object.entries(cases);
  let round = 0;
  await page.route("**/v1/chat/completions", (route) => {
    const tool_calls = round++ > 0 ? undefined : list.map(([expression], index) => ({ index, id: `c${index}`, function: { name: "calculator", arguments: JSON.stringify({ expression }) } }));
    const reason = tool_calls ? "tool_calls" : "stop";
    const body = [{ choices: [{ delta: { tool_calls, content: "x" } }] }, { choices: [{ delta: {}, finish_reason: reason }] }];
    return route.fulfill({ contentType: "text/event-stream", body: body.map((json) => `data: ${JSON.stringify(json)}\n\n`).join("") + "data: [DONE]\n\n" });
  });
  await message(page).fill("compute");
  await button(page, "Send").click();
  await page.waitForFunction((count) => document.querySelectorAll(".message.tool").length === count, list.length);
  const results = await page.getByRole("group", { name: "Tool result" }).locator("code").allInnerTexts();
  assert.deepEqual(Object.fromEntries(list.map(([expression], index) => [expression, results[index]])), cases);
  await check();
});
