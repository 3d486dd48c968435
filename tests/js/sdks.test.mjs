// OpenAI's and Anthropic's SDKs for JavaScript against the default model.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { defaultModel, root, serve } from "./support.mjs";

const model = "smollm2-135m-instruct";
const messages = [{ role: "user", content: "What is the capital of France?" }];
let server;
let client;

before(async () => {
  server = await serve(defaultModel);
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
after(() => server.stop());

test("the example of docs/clients.md streams the answer", () => {
  const page = readFileSync(path.join(root, "docs/clients.md"), "utf8");
  const block = /^```js\n([\s\S]*?)^```/m.exec(page)[1];
  assert.ok(block.includes("http://127.0.0.1:8080"));
  const file = path.join(import.meta.dirname, "example.tmp.mjs");
  writeFileSync(file, block.replace("http://127.0.0.1:8080", server.url));
  try {
    assert.match(execFileSync(process.execPath, [file], { encoding: "utf8" }), /Paris/);
  } finally {
    rmSync(file);
  }
});

test("a stream's helper gathers what a whole answer says", async () => {
  const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
  const runner = client.chat.completions.stream({ model, messages, temperature: 0, stream_options: { include_usage: true } });
  let text = "";
  runner.on("content", (piece) => (text += piece));
  assert.equal(await runner.finalContent(), whole.choices[0].message.content);
  assert.equal(text, whole.choices[0].message.content);
  assert.equal((await runner.totalUsage()).completion_tokens, whole.usage.completion_tokens);
});

test("errors are the SDK's own classes and name the field", async () => {
  await assert.rejects(client.chat.completions.create({ model: "other", messages }), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model, messages, temperature: -1 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    return true;
  });
});

test("a stream that is left frees its sequence", async () => {
  const stream = await client.chat.completions.create({ model, messages, stream: true, max_tokens: 4000, ignore_eos: true });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta?.content) break;
  }
  const deadline = Date.now() + 20_000;
  while ((await server.gauge("vllm:num_requests_running")) !== 0) assert.ok(Date.now() < deadline, "it still runs");
});

test("an answer is parsed into a schema of zod, by chat and by responses", async () => {
  const City = z.object({ city: z.string().max(20), inhabitants: z.int() });
  const chat = await client.chat.completions.parse({
    model, messages, temperature: 0, max_tokens: 100, response_format: zodResponseFormat(City, "city"),
  });
  assert.equal(typeof chat.choices[0].message.parsed.city, "string");
  const response = await client.responses.parse({
    model, input: "What is the capital of France?", temperature: 0, max_output_tokens: 100, text: { format: zodTextFormat(City, "city") },
  });
  assert.ok(Number.isInteger(response.output_parsed.inhabitants));
});

test("a response streams its events, and the next goes on from it", async () => {
  const stream = client.responses.stream({ model, input: "What is the capital of France?", temperature: 0 });
  let text = "";
  const types = [];
  for await (const event of stream) {
    types.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  const first = await stream.finalResponse();
  assert.equal(first.output_text, text);
  assert.equal(types[0], "response.created");
  assert.equal(types.at(-1), "response.completed");
  const second = await client.responses.create({ model, input: "And of Italy?", temperature: 0, previous_response_id: first.id });
  assert.ok(second.usage.input_tokens_details.cached_tokens > 0);
});

test("Anthropic's SDK streams a message", async () => {
  const anthropic = new Anthropic({ baseURL: server.url, apiKey: "none" });
  const stream = anthropic.messages.stream({ model, messages, max_tokens: 20, temperature: 0 });
  let text = "";
  stream.on("text", (piece) => (text += piece));
  const message = await stream.finalMessage();
  assert.equal(message.content[0].text, text);
  assert.match(text, /Paris/);
  assert.ok(message.usage.output_tokens > 0);
});
