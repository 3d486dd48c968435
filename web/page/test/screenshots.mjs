// Takes the pictures of docs/web.md: npm run screenshots, with the default model exported and the program built.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { ask, defaultModel, launch, openSettings, root, serve, set, visit } from "./support.mjs";

const folder = path.join(root, "docs/images");
mkdirSync(folder, { recursive: true });
const [server, browser] = await Promise.all([serve([defaultModel], "--kv-blocks", "1500"), launch()]);
const to = (name) => path.join(folder, `${name}.png`);
const greedy = { Temperature: 0, "Max tokens": 200 };

async function talk(page) {
  await ask(page, "What is the capital of France?");
  await page.locator(".new-chat").evaluate((element) => element.click());
  await page.getByText("Ask it something").waitFor();
  await ask(page, "Give me three tips for writing clearly.");
  await page.locator("body").hover({ position: { x: 5, y: 5 } });
}

const light = await visit(browser, server.url, { viewport: { width: 1200, height: 760 } });
await set(light.page, greedy);
await talk(light.page);
await light.page.screenshot({ path: to("chat-light") });
await light.check();

const dark = await visit(browser, server.url, { viewport: { width: 1200, height: 760 }, colorScheme: "dark" });
await set(dark.page, { ...greedy, "Max tokens": 60, "Token probabilities": true });
await talk(dark.page);
await dark.page.getByLabel("Show token probabilities").check();
await openSettings(dark.page);
await dark.page.locator(".token").nth(6).hover();
await dark.page.screenshot({ path: to("chat-dark") });
await dark.context.close();

const phone = await visit(browser, server.url, { viewport: { width: 390, height: 760 }, isMobile: true, hasTouch: true });
await set(phone.page, greedy);
await talk(phone.page);
await phone.page.screenshot({ path: to("chat-phone") });
await phone.context.close();

for (const colorScheme of ["light", "dark"]) {
  const engine = await visit(browser, `${server.url}/engine`, { viewport: { width: 1200, height: 900 }, colorScheme });
  await engine.page.getByText("Nothing runs.").waitFor();
  const shared = "You are a careful clerk of a paper mill. Read what follows twice, then answer in one short sentence. ".repeat(6);
  const questions = Array.from({ length: 14 }, (_, index) => fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({
      messages: [{ role: "system", content: index % 3 ? shared : `Number ${index}.` }, { role: "user", content: `${index}: what is paper?`.repeat(1 + (index % 4)) }],
      max_tokens: 90 + 10 * index, ignore_eos: true,
    }),
  }).then((response) => response.text()));
  await engine.page.getByRole("region", { name: "Running" }).locator("tbody tr").nth(12).waitFor();
  await engine.page.waitForFunction(() => /step \d{3}/.test(document.querySelector(".detail")?.textContent ?? ""));
  await engine.page.screenshot({ path: to(`engine-${colorScheme}`) });
  await Promise.all(questions);
  await engine.context.close();
}
await browser.close();
await server.stop();
