// A thread of the core: a worker that runs the same module over the same memory, inside kernels only. It
// tells when it is there and then waits in the core for work, for as long as the page lives.
import { makeWasi } from "./wasi.js";

/** Runs thread `index` in this worker; `stack` is where its stack ends, `tls` its thread's own data. */
export async function runThread({ module, memory, index, stack, tls }, tellReady) {
  const wasi = makeWasi(new Map());
  wasi.setMemory(memory);
  const imports = { env: { memory }, wasi_snapshot_preview1: {} };
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from === "wasi_snapshot_preview1") imports[from][name] = wasi.imports[name];
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  exports.__stack_pointer.value = stack;
  exports.__wasm_init_tls(tls);
  tellReady();
  exports.quire_work(index);
}

// In a browser this file is the worker; in Node the tests' own worker calls runThread().
if (typeof WorkerGlobalScope !== "undefined" && globalThis instanceof WorkerGlobalScope) {
  onmessage = ({ data }) => runThread(data, () => postMessage("ready"));
}
