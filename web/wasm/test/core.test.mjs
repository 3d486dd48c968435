// The core in WebAssembly against the native program, in Node: node --test web/wasm/test/core.test.mjs, from
// the repository's root. QUIRE names the program (build/release/quire), MODEL the package.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import zlib from "node:zlib";

import { Core } from "../src/core.js";
import { packageFiles } from "./package_files.mjs";

const quire = process.env.QUIRE ?? "build/release/quire";
const model = process.env.MODEL ?? "models/smollm2-135m-instruct";
const wasm = fs.readFileSync("web/wasm/dist/quire.wasm");
const module = await WebAssembly.compile(wasm);
const core = await Core.create(module, packageFiles(model));
const info = core.open({ package: "/package", max_num_seqs: 16, num_kv_blocks: 512 });

// Runs requests together, as a page with several answers under way does; ids in the order of requests.
const answers = (requests) => answersOf(core, requests);
function answersOf(core, requests) {
  const ids = requests.map((request) => core.submit(request));
  const tokens = new Map(ids.map((id) => [id, []]));
  for (let more = true; more; ) {
    const step = core.step();
    more = step.more;
    for (const event of step.events) {
      assert.equal(event.error, undefined);
      if (event.tokens) tokens.get(event.id).push(...event.tokens);
    }
  }
  return ids.map((id) => tokens.get(id));
}

function native(requests, isa) {
  const lines = execFileSync(quire, ["generate", "-m", model, "--file", "-", "--json", "--raw"], {
    input: requests.map((request) => JSON.stringify(request)).join("\n"),
    env: { ...process.env, ...(isa && { QUIRE_ISA: isa }) },
    maxBuffer: 1 << 28,
  }).toString().trim().split("\n").map((line) => JSON.parse(line));
  return lines.sort((a, b) => a.index - b.index).map((line) => line.outputs[0].token_ids);
}

const topics = ["the sea", "a red bicycle", "bread", "the moon", "winter", "a small dog", "mathematics", "rain", "an old clock", "Paris"];
const askings = ["Write one sentence about ", "Name three things that go with ", "What colour is ", "Explain in ten words: ", "Translate to French: "];
const prompts = topics.flatMap((topic) => askings.map((asking) => asking + topic));

test("fifty answers have the native program's tokens", () => {
  assert.equal(prompts.length, 50);
  const requests = prompts.map((prompt) => ({ messages: [{ role: "user", content: prompt }], max_tokens: 16, temperature: 0 }));
  assert.deepEqual(answers(requests), native(requests, "portable"));
});

test("three threads give the tokens of one, and make no more of an error than one does", async () => {
  const several = await WebAssembly.compile(fs.readFileSync("web/wasm/dist/quire_threads.wasm"));
  const workers = [];
  const startThread = (data) => new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./thread_worker.mjs", import.meta.url), { workerData: data });
    workers.push(worker);
    worker.once("message", resolve).once("error", reject);
  });
  const threaded = await Core.create(several, packageFiles(model), { threads: 3, startThread });
  try {
    assert.equal(threaded.open({ package: "/package", max_num_seqs: 16, num_kv_blocks: 512 }).threads, 3);
    const requests = prompts.slice(0, 5).map((prompt) => ({ messages: [{ role: "user", content: prompt }], max_tokens: 8 }));
    assert.deepEqual(answersOf(threaded, requests), answers(requests));
    assert.equal(threaded.logitsHash({ prompt: "Once upon a time" }), core.logitsHash({ prompt: "Once upon a time" }));
    assert.throws(() => threaded.submit({ prompt: "a", max_tokens: -1 }), /max_tokens/);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
});

test("sampled answers draw what the native program draws", () => {
  const base = { messages: [{ role: "user", content: "Tell me a story." }], max_tokens: 12 };
  const requests = [
    { ...base, temperature: 1, seed: 1 },
    { ...base, temperature: 0.8, top_k: 20, seed: 2 },
    { ...base, temperature: 1.3, top_p: 0.9, seed: 3 },
    { ...base, temperature: 1, min_p: 0.05, seed: 4 },
    { ...base, temperature: 1, repetition_penalty: 1.3, presence_penalty: 0.5, frequency_penalty: 0.4, seed: 5 },
    { prompt: "Once upon a time", max_tokens: 12, temperature: 0.7, seed: 6 },
  ];
  assert.deepEqual(answers(requests), native(requests, "portable"));
});

test("an answer held to a schema has the native program's tokens", () => {
  const schema = { type: "object", properties: { name: { type: "string" }, age: { type: "integer" } }, required: ["name", "age"] };
  const requests = [{ messages: [{ role: "user", content: "Invent a person." }], max_tokens: 40, temperature: 0, structured_outputs: { json: schema } }];
  assert.deepEqual(answers(requests), native(requests, "portable"));
});

test("texts in many scripts have the native program's ids", () => {
  const texts = ["Hello world", "", " two  spaces\n\n\ttab", "naïve café — “quotes”", "日本語のテキスト", "Привет, мир", "مرحبا بالعالم",
    "👩‍👩‍👧‍👦🏳️‍🌈", "e\u0301\u0302", "1234567890 3.14e-10", "<|im_start|>user", "\u0000\u0001\u00a0\u200b", "I'm we'll THEY'D", "ａｂｃ ﬁ ½ Ⅷ", "a".repeat(1000)];
  const lines = execFileSync(quire, ["tokenize", "-m", model, "--lines"], {
    input: texts.map((text) => JSON.stringify(text)).join("\n"),
    maxBuffer: 1 << 26,
  }).toString().trim().split("\n");
  texts.forEach((text, i) => assert.deepEqual(core.tokenize({ prompt: text }), JSON.parse(lines[i]), JSON.stringify(text)));
});

test("random texts of every kind have the native program's ids", () => {
  const made = "import json, sys; sys.path.insert(0, 'tests/oracle_tokenizer'); import texts; print(json.dumps(texts.random_texts(17, 400)))";
  const texts = JSON.parse(execFileSync("python3", ["-c", made], { maxBuffer: 1 << 26 }));
  const lines = execFileSync(quire, ["tokenize", "-m", model, "--lines"], {
    input: texts.map((text) => JSON.stringify(text)).join("\n"),
    maxBuffer: 1 << 26,
  }).toString().trim().split("\n");
  texts.forEach((text, i) => assert.deepEqual(core.tokenize({ prompt: text }), JSON.parse(lines[i]), JSON.stringify(text)));
});

test("the source model's own answers hold: tokenizer, chat template and greedy tokens", () => {
  const golden = JSON.parse(fs.readFileSync(`${model}/golden.json`));
  for (const { text, special, ids } of golden.tokenizer) {
    if (!special) assert.deepEqual(core.tokenize({ prompt: text }), ids, JSON.stringify(text));
  }
  for (const { messages, ids } of golden.chat) assert.deepEqual(core.tokenize({ messages }), ids);
  const greedy = answers(golden.prompts.map(({ ids, greedy }) => ({
    token_ids: ids, max_tokens: greedy.ids.length, temperature: 0, ignore_eos: true,
  })));
  golden.prompts.forEach(({ name, greedy: { ids, gaps } }, i) => {
    // The margin rule (docs/model_package.md): up to where the source model's choice was close.
    const close = gaps.findIndex((gap) => gap < golden.tolerance.min_gap);
    const end = close === -1 ? ids.length : close;
    assert.deepEqual(greedy[i].slice(0, end), ids.slice(0, end), name);
  });
});

test("what cannot be is refused with the program's sentence, and the core goes on", () => {
  assert.throws(() => core.submit({ prompt: "a", max_tokens: -1 }), { name: "QuireError", code: "invalid_argument", message: /max_tokens/ });
  assert.throws(() => core.submit({ prompt: "a", maxtokens: 1 }), /maxtokens/);
  assert.throws(() => core.submit({ messages: "x" }), { code: "invalid_argument" });
  assert.equal(answers([{ prompt: "a", max_tokens: 2 }])[0].length, 2);
});

test("a request that is taken back ends as cancelled", () => {
  const id = core.submit({ prompt: "Once upon a time", max_tokens: 1000 });
  core.step();
  assert.equal(core.cancel(id), true);
  // What became of it is told with the next step that computes.
  const events = [];
  core.submit({ prompt: "a", max_tokens: 2 });
  for (let more = true; more; ) {
    const step = core.step();
    more = step.more;
    events.push(...step.events);
  }
  assert.ok(events.some((event) => event.id === id && event.done));
  assert.ok(events.filter((event) => event.id === id).every((event) => !event.tokens?.length));
  assert.equal(core.cancel(id), false);
});

test("a file with one bit changed is refused by name", async () => {
  const files = packageFiles(model);
  const right = files.get("/package/model.onnx.data");
  files.set("/package/model.onnx.data", {
    size: right.size,
    read: (offset, target) => {
      const done = right.read(offset, target);
      if (offset === 0) target[100] ^= 1;
      return done;
    },
  });
  const damaged = await Core.create(module, files);
  assert.throws(() => damaged.open({ package: "/package" }), { code: "bad_model", message: /model\.onnx\.data/ });
});

test("SHA-256 of pieces is that of the whole", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60000));
  for (const [cut, end] of [[0, 0], [0, 1], [1, 55], [3, 56], [10, 64], [63, 65], [64, 128], [1000, 60000]]) {
    const hash = core.sha256();
    hash.update(bytes.subarray(0, cut));
    hash.update(bytes.subarray(cut, end));
    const want = Buffer.from(await crypto.subtle.digest("SHA-256", bytes.subarray(0, end))).toString("hex");
    assert.equal(hash.hex(), want);
  }
});

test("the module takes at most 1.5 MiB compressed", () => {
  const size = zlib.gzipSync(wasm, { level: 9 }).length;
  assert.ok(size <= 1.5 * 2 ** 20, `${size} bytes`);
});

test("the memory of a model and its cache is told", () => {
  assert.ok(info.memory_bytes > 98673920 && info.memory_bytes < 600 * 2 ** 20, `${info.memory_bytes}`);
});
