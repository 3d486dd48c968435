// Loops of tools, driven by the clients themselves, against a model whose calls are known (scripted.py).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";
import { serve } from "./support.mjs";

const folder = process.env.QUIRE_SCRIPTED_PACKAGE;
assert.ok(folder, "QUIRE_SCRIPTED_PACKAGE names the package that scripted.py makes; scripts/test.sh web sets it");
const content = "What is the weather in Paris?";
let server;
let name;

before(async () => {
  server = await serve(folder);
  name = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
});
after(() => server.stop());

test("runTools of OpenAI's SDK calls the function and gives the model its result", async () => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: name,
    temperature: 0,
    messages: [{ role: "user", content }],
    tools: [{
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather of a city",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        parse: JSON.parse,
        function: ({ city }) => {
          asked.push(city);
          return "21 degrees";
        },
      },
    }],
  });
  assert.equal(await runner.finalContent(), "It is 21 degrees.");
  assert.deepEqual(asked, ["Paris"]);
});

for (const streamed of [false, true]) {
  test(`Vercel's AI SDK runs its loop of tools, ${streamed ? "streamed" : "whole"}`, async () => {
    const provider = createOpenAICompatible({ name: "quire", baseURL: `${server.url}/v1` });
    const asked = [];
    const question = {
      model: provider(name),
      prompt: content,
      temperature: 0,
      maxRetries: 0,
      stopWhen: stepCountIs(4),
      tools: {
        get_weather: tool({
          description: "The weather of a city",
          inputSchema: z.object({ city: z.string() }),
          execute: async ({ city }) => {
            asked.push(city);
            return "21 degrees";
          },
        }),
      },
    };
    const result = streamed ? streamText(question) : await generateText(question);
    assert.equal(await result.text, "It is 21 degrees.");
    assert.equal((await result.steps).length, 2);
    assert.deepEqual(asked, ["Paris"]);
  });
}
