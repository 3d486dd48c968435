// @quire/web: a language model in the page. docs/browser.md is the guide, index.d.ts the types.
import { QuireError } from "./core.js";

export { QuireError };

// maxTokens -> max_tokens: the core knows the names of a line of a prompt file, and refuses others.
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());

function requestOf(prompt, { signal, ...options }) {
  const request = { ...prompt };
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) request[snake(name)] = value;
  }
  return request;
}

class Llm {
  #worker;
  #calls = new Map();
  #answers = new Map();
  #early = new Map(); // events that came before their request's number did
  #next = 0;
  #ended = null;
  #onProgress;

  constructor(onProgress) {
    this.#onProgress = onProgress;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault?.();
      this.#end(new QuireError(`the worker failed: ${event.message ?? "its files cannot be loaded"}; load the model again`, "failed"));
    };
  }

  /** @internal */
  async open(base, threads, options) {
    this.info = await this.#call("open", { base, threads, options });
    return this;
  }

  /** Answers a conversation through the model's chat template. */
  chat(messages, options = {}) { return this.#stream({ messages }, options); }

  /** Continues a text as it is. */
  generate(prompt, options = {}) { return this.#stream({ prompt }, options); }

  /** Ids of a text, or of a conversation through the chat template. */
  tokenize(input) { return this.#call("tokenize", typeof input === "string" ? { prompt: input } : { messages: input }); }

  /** Ends the worker and frees its memory; answers under way fail. */
  close() {
    this.#end(new QuireError("the model was closed", "closed"));
    this.#worker.terminate();
  }

  #end(error) {
    this.#ended ??= error;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    for (const answer of this.#answers.values()) answer.push({ failure: error });
    this.#answers.clear();
  }

  #call(call, value) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const number = this.#next++;
      this.#calls.set(number, { resolve, reject });
      this.#worker.postMessage({ call, number, value });
    });
  }

  #receive(data) {
    if (data.type === "progress") return this.#onProgress?.(data.progress);
    if (data.type === "lost") return this.#end(new QuireError(data.error.message, data.error.code));
    if (data.type === "event") {
      const answer = this.#answers.get(data.event.id);
      if (answer) return answer.push(data.event);
      if (!this.#early.has(data.event.id)) this.#early.set(data.event.id, []);
      return this.#early.get(data.event.id).push(data.event);
    }
    const { resolve, reject } = this.#calls.get(data.number) ?? {};
    this.#calls.delete(data.number);
    if (data.error) reject?.(new QuireError(data.error.message, data.error.code));
    else resolve?.(data.value);
  }

  async *#stream(prompt, options) {
    const { signal } = options;
    signal?.throwIfAborted();
    const id = await this.#call("submit", requestOf(prompt, options));
    const queue = this.#early.get(id) ?? [];
    this.#early.delete(id);
    let wake = () => {};
    const push = (event) => {
      queue.push(event);
      wake();
    };
    this.#answers.set(id, { push });
    const abort = () => push({ aborted: true });
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    let finished = false;
    try {
      for (;;) {
        while (queue.length === 0) await new Promise((resolve) => (wake = resolve));
        signal?.throwIfAborted();
        const event = queue.shift();
        if (event.failure) throw event.failure;
        if (event.done) {
          finished = true;
          if (event.error) throw new QuireError(event.error, "failed");
          return;
        }
        yield { text: event.text, tokens: event.tokens, kind: event.kind, ...(event.finish && { finishReason: event.finish }) };
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#answers.delete(id);
      // Left early, by abort or break: the engine need not go on.
      if (!finished && !this.#ended) {
        this.#answers.set(id, { push: (event) => event.done && this.#answers.delete(id) });
        await this.#call("cancel", id).catch(() => {});
      }
    }
  }
}

/**
 * Loads a model package from the address of its folder: fetches what is not kept here yet, checks every
 * file's hash, and opens it in a worker.
 */
export async function load(url, { onProgress, threads, kvBlocks, maxSequences } = {}) {
  const base = new URL(url, globalThis.location?.href).href.replace(/\/?$/, "/");
  const llm = new Llm(onProgress);
  const most = Math.min(navigator.hardwareConcurrency ?? 1, 8);
  try {
    return await llm.open(base, threads ?? most, { num_kv_blocks: kvBlocks ?? 0, max_num_seqs: maxSequences ?? 4 });
  } catch (error) {
    llm.close();
    throw error;
  }
}
