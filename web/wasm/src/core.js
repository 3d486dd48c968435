// The core's functions as JavaScript: web/wasm/core.cc. No page, no worker, no network: the tests run it in
// Node as it is.
import { makeWasi } from "./wasi.js";

/** What the core refuses or fails at; `code` is invalid_argument, bad_model, out_of_memory or failed. */
export class QuireError extends Error {
  constructor(message, code) {
    super(message);
    this.name = "QuireError";
    this.code = code;
  }
}

const THREAD_STACK = 1 << 18;
const PAGES = 65520; // as web/wasm/CMakeLists.txt links the modules: 4095 MiB at most

export class Core {
  #exports;
  #memory;

  /**
   * Makes a core of a compiled module. `files`: see wasi.js; may be filled until open(). A module that shares
   * its memory computes on `threads` threads, started by `startThread` (thread.js).
   * @param {WebAssembly.Module} module
   * @param {Map<string, {size: number, read(offset: number, target: Uint8Array): number}>} files
   */
  static async create(module, files, options = {}) {
    const core = new Core();
    const wasi = makeWasi(files, options);
    const imports = { wasi_snapshot_preview1: {} };
    const shared = WebAssembly.Module.imports(module).find(({ kind }) => kind === "memory");
    if (shared) imports.env = { memory: new WebAssembly.Memory({ initial: 256, maximum: PAGES, shared: true }) };
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (from === "wasi_snapshot_preview1") imports[from][name] = wasi.imports[name];
    }
    const instance = await WebAssembly.instantiate(module, imports);
    core.#exports = instance.exports;
    core.#memory = imports.env?.memory ?? instance.exports.memory;
    wasi.setMemory(core.#memory);
    core.#exports._initialize();
    if (shared && options.startThread) await core.#startThreads(module, options.threads ?? 1, options.startThread);
    return core;
  }

  // `start(data)` makes a worker run runThread(data), and resolves when it is there.
  async #startThreads(module, threads, start) {
    const { quire_alloc, quire_set_workers, __tls_size } = this.#exports;
    const aligned = (at) => at - (at % 64);
    const started = [];
    for (let index = 0; index < Math.min(threads - 1, 15); ++index) {
      const stack = aligned(quire_alloc(THREAD_STACK) + THREAD_STACK);
      const tls = aligned(quire_alloc(__tls_size.value + 64) + 63);
      started.push(start({ module, memory: this.#memory, index, stack, tls }));
    }
    await Promise.all(started);
    quire_set_workers(started.length);
  }

  open(options) { return this.#call(this.#exports.quire_open, options); }
  submit(request) { return this.#call(this.#exports.quire_submit, request).id; }
  step() { return this.#read(this.#exports.quire_step()); }
  cancel(id) { return this.#exports.quire_cancel(id) === 1; }
  tokenize(request) { return this.#call(this.#exports.quire_tokenize, request).tokens; }
  logitsHash(request) { return this.#call(this.#exports.quire_logits_hash, request).hash; }

  /** An incremental SHA-256, which browsers have none of. One at a time. */
  sha256() {
    const { quire_hash_begin, quire_hash_end, quire_hash_room, quire_hash_update } = this.#exports;
    quire_hash_begin();
    return {
      update: (bytes) => {
        for (let done = 0; done < bytes.length; done += 65536) {
          const piece = bytes.subarray(done, done + 65536);
          new Uint8Array(this.#memory.buffer, quire_hash_room(), piece.length).set(piece);
          quire_hash_update(piece.length);
        }
      },
      hex: () => {
        const digest = new Uint8Array(this.#memory.buffer, quire_hash_end(), 32).slice();
        return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      },
    };
  }

  #call(func, value) {
    const text = new TextEncoder().encode(JSON.stringify(value));
    const at = this.#exports.quire_alloc(text.length);
    new Uint8Array(this.#memory.buffer, at, text.length).set(text);
    try {
      return this.#read(func(at, text.length));
    } finally {
      this.#exports.quire_release(at);
    }
  }

  #read(at) {
    const bytes = new Uint8Array(this.#memory.buffer, at, this.#exports.quire_answer_size()).slice();
    const answer = JSON.parse(new TextDecoder().decode(bytes));
    if (answer.error) throw new QuireError(answer.error, answer.code);
    return answer;
  }
}
