// Nothing that a model, a file or a tool says runs in the page, whatever it says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answers, ask, defaultModel, finished, launch, message, serve, set, visit } from "./support.mjs";
import { payloads } from "./payloads.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([serve([defaultModel]), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const event = (json) => `data: ${JSON.stringify(json)}\n\n`;
const stream = (...deltas) => ({
  contentType: "text/event-stream",
  body: [
    ...deltas.map((delta) => event({ choices: [{ delta, finish_reason: null }] })),
    event({ choices: [{ delta: {}, finish_reason: deltas.some((d) => d.tool_calls) ? "tool_calls" : "stop" }] }),
    event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }),
    "data: [DONE]\n\n",
  ].join(""),
});

// Moves over everything and looks at every link and element, as a reader might, without leaving the page.
function touchHere() {
  for (const element of document.querySelectorAll(".thread *")) {
    for (const type of ["mouseover", "mousemove", "pointerenter", "focus", "animationstart", "toggle"]) {
      element.dispatchEvent(new Event(type, { bubbles: true }));
    }
  }
  for (const link of document.querySelectorAll(".thread a")) {
    if (!/^(https?|mailto):/.test(link.href)) throw new Error(`a link to ${link.href}`);
    if (link.rel !== "noopener noreferrer nofollow") throw new Error("a link that lends the page");
  }
  const foreign = document.querySelectorAll(".thread :is(script, img, iframe, object, embed, form, style, link, meta, base, video, audio, math, template, input:not([type=checkbox]))");
  if (foreign.length > 0) throw new Error(`an element ${foreign[0].outerHTML}`);
  for (const element of document.querySelectorAll(".markdown *")) {
    for (const { name } of element.attributes) {
      if (/^on|^style$|^id$|^name$/.test(name)) throw new Error(`an attribute ${name} of ${element.outerHTML}`);
    }
  }
}
const touchEverything = (page) => page.evaluate(touchHere);

test("there are at least 100 payloads, and one that runs would be noticed", async () => {
  assert.ok(new Set(payloads).size >= 100);
  const { page, check } = await visit(browser, server.url);
  await page.evaluate(() => window.pwned("probe"));
  await assert.rejects(check(), /a script ran: probe/);
  await page.context().close();
  const other = await visit(browser, server.url);
  await other.page.evaluate(() => {
    const image = document.createElement("img");
    image.src = "https://evil.example/x";
    document.body.append(image);
  });
  await assert.rejects(other.check(), /evil\.example/);
  await other.context.close();
});

test("a policy that lets only this page's own script run goes with the page", async () => {
  const response = await fetch(server.url);
  const policy = response.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^ ;]+'; style-src 'sha256-[^ ;]+';/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  assert.match(policy, /require-trusted-types-for 'script'; trusted-types dompurify$/);
  const { page, context } = await visit(browser, server.url);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    try {
      script.textContent = "window.ran = true";
      document.body.append(script);
    } catch {
      // Trusted Types refuse the text itself.
    }
    return window.ran === true;
  });
  assert.equal(ran, false);
  await context.close();
});

test("no payload runs as a model's answer, as its thoughts or streamed piece by piece", async () => {
  const { page, check } = await visit(browser, server.url);
  let turn = 0;
  const batch = 30;
  await page.route("**/v1/chat/completions", (route) => {
    const some = payloads.slice(turn * batch, ++turn * batch);
    const text = some.join("\n\n");
    const pieces = text.match(/[^]{1,7}/g).map((content) => ({ content }));
    return route.fulfill(stream({ reasoning_content: text }, ...pieces));
  });
  while (turn * batch < payloads.length) {
    await message(page).fill("go on");
    await message(page).press("Enter");
    await finished(page);
  }
  assert.ok((await answers(page).count()) >= 4);
  await touchEverything(page);
  await check();
});

// Here each stands alone, so that none is closed or opened by one before it.
test("no payload runs from an imported file: as a title, a message, a call, a result, a token or an error", async () => {
  const { page, check } = await visit(browser, server.url);
  const conversations = payloads.map((payload) => {
    const common = { content: payload, reasoning: payload, error: payload, model: payload, finish: "stop" };
    return {
      id: payload, title: payload, named: true, updated: 1, settings: { system: payload, schema: payload },
      messages: {
        a: { role: "user", parent: "", content: payload },
        b: { role: "assistant", parent: "a", ...common, toolCalls: [{ id: payload, name: payload, arguments: payload }],
          tokens: [{ text: payload, logprob: -1, alternatives: [{ text: payload, logprob: -1 }] }] },
        c: { role: "tool", parent: "b", content: payload, toolCallId: payload },
      },
      chosen: { "": "a", a: "b", b: "c", ["__proto__"]: "a" },
    };
  });
  const buffer = Buffer.from(JSON.stringify({ format: "quire-conversations", version: 1, conversations }));
  await page.getByLabel("Import conversations").setInputFiles({ name: "x.json", mimeType: "application/json", buffer });
  const list = page.locator(".conversation");
  await list.nth(payloads.length - 1).waitFor();
  await page.locator(".tokens-switch input").first().check();
  await page.locator(".token").first().hover();
  await page.evaluate(`window.touchHere = ${touchHere}`);
  const shown = await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const titles = [];
    for (const button of [...document.querySelectorAll(".conversation")]) {
      button.click();
      while (document.querySelector(".conversations .open .conversation") !== button) await frame();
      await frame();
      window.touchHere();
      titles.push(document.querySelector(".bubble").textContent);
    }
    return titles;
  });
  assert.deepEqual(shown, payloads);
  await check();
});

test("files that are no exports are refused with a reason, and change nothing", async () => {
  const { page, check } = await visit(browser, server.url);
  const bad = {
    "no JSON": "the file is no JSON",
    "[]": "the file is no object",
    '{"format": "quire-conversations", "version": 2}': "a later version",
    '{"format": "quire-conversations", "version": 1, "conversations": {}}': "conversations is no list",
    '{"format": "quire-conversations", "version": 1, "conversations": [{"messages": {"a": {"role": "root", "parent": ""}}}]}': "none of user, assistant and tool",
    '{"format": "quire-conversations", "version": 1, "conversations": [{"messages": {"a": {"role": "user", "parent": "b"}, "b": {"role": "user", "parent": "a"}}}]}': "comes before the one it answers",
  };
  for (const [text, reason] of Object.entries(bad)) {
    await page.getByLabel("Import conversations").setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from(text) });
    await page.getByText(reason).waitFor();
  }
  assert.equal(await page.locator(".conversation").count(), 0);
  await check();
});

test("no payload runs as the result of a tool", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Calculator: true });
  let calls = [...payloads];
  await page.route("**/v1/chat/completions", (route) => {
    const some = calls.splice(0, 20);
    const tool_calls = some.map((payload, index) => ({ index, id: payload, function: { name: index % 2 ? payload : "calculator", arguments: JSON.stringify({ expression: payload }) } }));
    return route.fulfill(some.length > 0 ? stream({ tool_calls }) : stream({ content: "done" }));
  });
  await message(page).fill("compute");
  await message(page).press("Enter");
  await page.waitForFunction((count) => document.querySelectorAll(".message.tool").length === count, payloads.length);
  await touchEverything(page);
  await check();
});

test("no payload runs when the reader writes it", async () => {
  const { page, check } = await visit(browser, server.url);
  await set(page, { Temperature: 0, "Max tokens": 2, "System prompt": payloads.slice(0, 12).join("\n") });
  await ask(page, payloads.slice(0, 12).join("\n"));
  await touchEverything(page);
  await check();
});
