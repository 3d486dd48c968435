// A server under test, and a browser that notices what must not happen: a script that ran, an error, a report of the
// Content-Security-Policy, or a request to anywhere but the server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const pageFolder = path.join(root, "web/page");
export const defaultModel = path.join(root, "models/smollm2-135m-instruct");
const binary = process.env.QUIRE_BINARY ?? path.join(root, "build/release/quire");
export const browserPath = process.env.QUIRE_CHROMIUM ?? "/usr/bin/chromium";

export async function serve(packages, ...flags) {
  assert.ok(existsSync(binary), `${binary} is not built; run scripts/build.sh release quire`);
  const models = packages.flatMap((folder) => ["-m", folder]);
  const child = spawn(binary, ["serve", ...models, "--port", "0", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface({ input: child.stderr });
  const [line] = await once(lines, "line");
  const url = /^listening on (\S+)$/.exec(line)?.[1];
  assert.ok(url, line);
  lines.on("line", () => undefined);
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

export async function launch() {
  const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"];
  return chromium.launch({ executablePath: browserPath, args: flags });
}

// A page of a fresh profile at `url`; `check()` at the end says whether anything happened that must not.
export async function visit(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  const origin = new URL(url).origin;
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    wrong.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/Content.Security.Policy|TrustedHTML|Refused to/i.test(message.text())) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) wrong.push(`a request to ${request.url()}`);
  });
  context.on("page", (other) => {
    if (other !== page) wrong.push(`a window was opened: ${other.url()}`);
  });
  await page.exposeFunction("pwned", (what) => wrong.push(`a script ran: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  await page.goto(url);
  return {
    page,
    context,
    async check() {
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 0)));
      assert.deepEqual(wrong, []);
      await context.close();
    },
  };
}

export const message = (page) => page.getByRole("textbox", { name: "Message", exact: true });
export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const answers = (page) => page.getByRole("article", { name: "Answer" });

// Sends a message and waits for the whole answer; its text.
export async function ask(page, text) {
  const before = await answers(page).count();
  await message(page).fill(text);
  await button(page, "Send").click();
  await answers(page).nth(before).waitFor();
  await finished(page);
  return answers(page).last().locator(".markdown, .tokens").innerText();
}

export async function finished(page) {
  await answers(page).last().and(page.locator('[aria-busy="false"]')).waitFor();
}

// Waits until the browser's database has a conversation of this title, which then outlives a reload.
export async function kept(page, title) {
  await page.waitForFunction(async (wanted) => {
    const settled = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const database = await settled(indexedDB.open("quire"));
    const all = await settled(database.transaction("conversations").objectStore("conversations").getAll());
    database.close();
    return all.some((conversation) => conversation.title === wanted);
  }, title);
}

export async function openSettings(page) {
  await button(page, "Settings").click();
  return page.getByRole("complementary", { name: "Settings" });
}

// Sets what the settings panel has, by the names of its controls, and closes it.
export async function set(page, values) {
  const panel = await openSettings(page);
  for (const [name, value] of Object.entries(values)) {
    const control = panel.getByLabel(name, { exact: true });
    if (typeof value === "boolean") await control.setChecked(value);
    else {
      await control.fill(String(value));
      await control.blur();
    }
  }
  await button(page, "Close the settings").click();
}
