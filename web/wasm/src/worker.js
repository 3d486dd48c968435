// The worker that one load() starts: it holds the core and computes, so that the page stays free.
import { Core, QuireError } from "./core.js";
import { forget, obtain, readable } from "./store.js";

let core;
let running = false;
let more = false;
const reply = (message) => postMessage(message);
const errorOf = (error) => ({ message: error.message, code: error.code ?? (error.name === "AbortError" ? "aborted" : "failed") });

// Lets messages in between two steps; a timer would wait for milliseconds.
const channel = new MessageChannel();
const breathe = () => new Promise((resolve) => {
  channel.port1.onmessage = resolve;
  channel.port2.postMessage(0);
});

// A request may come while the loop draws its last breath: then there is more to do.
async function run() {
  more = true;
  if (running) return;
  running = true;
  try {
    for (; more; await breathe()) {
      const step = core.step();
      more = step.more;
      for (const event of step.events) reply({ type: "event", event });
    }
  } catch (error) {
    reply({ type: "lost", error: errorOf(error) });
  } finally {
    running = false;
  }
}

function startThread(data) {
  const worker = new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = (event) => reject(new QuireError(`a thread failed: ${event.message ?? "it cannot be loaded"}`, "failed"));
    worker.postMessage(data);
  });
}

async function open({ base, threads, options }) {
  // Threads share a memory, which a browser gives to pages that are cross-origin isolated.
  const several = threads > 1 && globalThis.crossOriginIsolated === true;
  const wasm = new URL(several ? "../dist/quire_threads.wasm" : "../dist/quire.wasm", import.meta.url).href;
  const module = await WebAssembly.compileStreaming(fetch(wasm)).catch(async () =>
    // A server that does not know the type.
    WebAssembly.compile(await (await fetch(wasm)).arrayBuffer()));
  const files = new Map();
  core = await Core.create(module, files, { threads, startThread });
  const onProgress = (progress) => reply({ type: "progress", progress });
  for (const [name, file] of await obtain(base, core, { onProgress })) files.set("/package/" + name, readable(file));
  try {
    return core.open({ package: "/package", ...options });
  } catch (error) {
    // What is kept has gone bad: the next load() fetches it anew.
    if (error.code === "bad_model") await forget(base);
    throw error;
  }
}

const calls = {
  open,
  tokenize: (request) => core.tokenize(request),
  submit: (request) => {
    const id = core.submit(request);
    run();
    return id;
  },
  cancel: (id) => core.cancel(id),
};

onmessage = async ({ data: { call, number, value } }) => {
  try {
    if (!Object.hasOwn(calls, call)) throw new QuireError(`there is no call ${call}`, "invalid_argument");
    reply({ type: "result", number, value: await calls[call](value) });
  } catch (error) {
    reply({ type: "result", number, error: errorOf(error) });
  }
};
