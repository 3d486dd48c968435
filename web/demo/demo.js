// The demo: a chat over @quire/web. The package's folder is `model` beside this page, or ?model=ADDRESS.
import { load } from "./quire/src/index.js";

const byId = (id) => document.getElementById(id);
const model = new URLSearchParams(location.search).get("model") ?? "model/";
const messages = [];
let stop = null;

// Works offline once it has been here: the worker keeps the page, the file system the model.
await navigator.serviceWorker?.register("sw.js").catch(() => {});

function say(role, text) {
  const line = document.createElement("p");
  line.className = role;
  line.textContent = text;
  byId("log").append(line);
  line.scrollIntoView({ block: "end" });
  return line;
}

function ready(is) {
  byId("message").disabled = byId("send").disabled = !is;
  byId("stop").disabled = is;
  if (is) byId("message").focus();
}

async function answer(llm, question) {
  messages.push({ role: "user", content: question });
  say("user", question);
  const line = say("assistant", "");
  stop = new AbortController();
  const started = performance.now();
  let tokens = 0;
  ready(false);
  try {
    for await (const delta of llm.chat(messages, { maxTokens: 400, signal: stop.signal })) {
      line.textContent += delta.text;
      tokens += delta.tokens.length;
      byId("status").textContent = `${(1000 * tokens / (performance.now() - started)).toFixed(1)} tokens a second, nothing leaves this page`;
    }
  } catch (error) {
    if (error.name !== "AbortError") line.textContent += `\n${error.message}`;
  }
  messages.push({ role: "assistant", content: line.textContent });
  ready(true);
}

try {
  const llm = await load(new URL(model, location.href), {
    onProgress: ({ loaded, total }) => {
      byId("progress").value = loaded / total;
      byId("status").textContent = `${(loaded / 2 ** 20).toFixed(0)} of ${(total / 2 ** 20).toFixed(0)} MiB`;
    },
  });
  byId("progress").hidden = true;
  byId("status").textContent = `Ready: ${(llm.info.memory_bytes / 2 ** 20).toFixed(0)} MiB of memory, kept for use without a network`;
  ready(true);
  byId("stop").disabled = true;
  byId("form").onsubmit = (event) => {
    event.preventDefault();
    const question = byId("message").value.trim();
    byId("message").value = "";
    if (question && !byId("send").disabled) answer(llm, question);
  };
  byId("message").onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    byId("form").requestSubmit();
  };
  byId("stop").onclick = () => stop?.abort();
} catch (error) {
  byId("progress").hidden = true;
  byId("status").textContent = error.message;
}
