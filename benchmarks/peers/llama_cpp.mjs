// One measurement of llama.cpp through the prebuilt npm package node-llama-cpp, on the same GGUF file.
// Usage: node llama_cpp.mjs MODEL.gguf THREADS
// Prints {"prefill_tok_s":{"128","512"},"decode_tok_s":{"1","32"}} at a context of 128 like `quire bench`.
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [modelPath, threads] = [process.argv[2], Number(process.argv[3])];
const contextTokens = 128;
const decodeTokens = 48;

const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads});
const model = await llama.loadModel({modelPath});
let randomState = 1;
const randomTokens = (count) => Array.from({length: count}, () => {
  randomState = (randomState * 48271) % 2147483647;
  return 100 + (randomState % 40000);
});
const secondsSince = (start) => (performance.now() - start) / 1000;

async function firstToken(sequence, tokens) {
  const iterator = sequence.evaluate(tokens, {temperature: 0, yieldEogToken: true});
  await iterator.next();
  return iterator;
}

async function prefill(length) {
  const context = await model.createContext({contextSize: length + 64, batchSize: 512, threads, sequences: 1});
  const start = performance.now();
  await firstToken(context.getSequence(), randomTokens(length));
  const rate = length / secondsSince(start);
  await context.dispose();
  return rate;
}

async function decode(streams) {
  const context = await model.createContext({contextSize: (contextTokens + decodeTokens + 16), batchSize: 512, threads, sequences: streams});
  const iterators = [];
  for (let i = 0; i < streams; i++) iterators.push(await firstToken(context.getSequence(), randomTokens(contextTokens)));
  const start = performance.now();
  let count = 0;
  await Promise.all(iterators.map(async (iterator) => {
    for (let i = 0; i < decodeTokens; i++) {
      const next = await iterator.next();
      if (next.done) break;
      count++;
    }
  }));
  const rate = count / secondsSince(start);
  await context.dispose();
  return rate;
}

await prefill(128); // warms up
const result = {prefill_tok_s: {}, decode_tok_s: {}};
for (const length of [128, 512]) result.prefill_tok_s[length] = await prefill(length);
for (const streams of [1, 32]) result.decode_tok_s[streams] = await decode(streams);
console.log(JSON.stringify(result));
process.exit(0);
