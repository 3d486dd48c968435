// The server's API as the page uses it: OpenAI's chat completions, streamed, and the list of models.
import { calculatorTool } from "./calculator";
import type { Message, Settings, TokenInfo, ToolCall } from "./conversation";

const KEY = "quire-api-key";

// Thrown when the server wants a key, or another one.
export class NeedsKey extends Error {}

let apiKey = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "";

// `remember`: also after the browser is closed.
export function setApiKey(key: string, remember: boolean): void {
  apiKey = key;
  sessionStorage.setItem(KEY, key);
  if (remember) localStorage.setItem(KEY, key);
  else localStorage.removeItem(KEY);
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey) headers.set("Authorization", `Bearer ${apiKey}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new Error("The server cannot be reached. Is it still running?");
  }
  if (response.status === 401) throw new NeedsKey("The server asks for an API key.");
  if (!response.ok) throw new Error(await errorText(response));
  return response;
}

async function errorText(response: Response): Promise<string> {
  const body = await response.text();
  try {
    return (JSON.parse(body) as { error: { message: string } }).error.message;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

export interface Model {
  id: string;
  max_model_len?: number;
}

export async function listModels(): Promise<Model[]> {
  const response = await request("/v1/models");
  return ((await response.json()) as { data: Model[] }).data;
}

// --- A request ---

function apiMessage(message: Message): object {
  if (message.role === "tool") {
    return { role: "tool", content: message.content, tool_call_id: message.toolCallId };
  }
  if (message.role === "user" || message.toolCalls.length === 0) {
    return { role: message.role, content: message.content };
  }
  const calls = message.toolCalls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.arguments },
  }));
  return { role: "assistant", content: message.content || null, tool_calls: calls };
}

// Throws an Error when the JSON schema is none.
function responseFormat(schema: string): object {
  if (schema.trim() === "") return { type: "json_object" };
  try {
    return { type: "json_schema", json_schema: { name: "answer", strict: true, schema: JSON.parse(schema) as unknown } };
  } catch {
    throw new Error("The JSON schema in the settings is no JSON. Correct it there.");
  }
}

export function requestBody(path: Message[], settings: Settings): Record<string, unknown> {
  const messages = path.map(apiMessage);
  if (settings.system.trim()) messages.unshift({ role: "system", content: settings.system });
  const body: Record<string, unknown> = { messages, stream: true, stream_options: { include_usage: true } };
  const stop = settings.stop.split("\n").filter((line) => line !== "");
  const optional: Record<string, unknown> = {
    model: settings.model || null,
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    min_p: settings.minP,
    repetition_penalty: settings.repetitionPenalty,
    seed: settings.seed,
    max_tokens: settings.maxTokens,
    stop: stop.length > 0 ? stop : null,
    tools: settings.calculator ? [calculatorTool] : null,
    response_format: settings.json ? responseFormat(settings.schema) : null,
  };
  for (const [name, value] of Object.entries(optional)) if (value !== null) body[name] = value;
  if (settings.logprobs) Object.assign(body, { logprobs: true, top_logprobs: 5 });
  return body;
}

// --- The stream ---

interface LogprobEntry {
  token: string;
  logprob: number;
  top_logprobs?: { token: string; logprob: number }[];
}
interface Chunk {
  error?: { message: string };
  model?: string;
  choices?: {
    delta?: {
      content?: string;
      reasoning_content?: string;
      tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
    };
    logprobs?: { content?: LogprobEntry[] } | null;
    finish_reason?: string | null;
  }[];
  usage?: {
    prompt_tokens: number;
    completion_tokens: number;
    prompt_tokens_details?: { cached_tokens?: number };
    completion_tokens_details?: { reasoning_tokens?: number };
  } | null;
}

// The data of each server-sent event, to the end of the stream.
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6);
  }
}

const tokenOf = (entry: LogprobEntry): TokenInfo => ({
  text: entry.token,
  logprob: entry.logprob,
  alternatives: (entry.top_logprobs ?? []).map(({ token, logprob }) => ({ text: token, logprob })),
});

function addCalls(calls: ToolCall[], delta: Chunk): void {
  for (const piece of delta.choices?.[0]?.delta?.tool_calls ?? []) {
    const call = (calls[piece.index] ??= { id: "", name: "", arguments: "" });
    call.id += piece.id ?? "";
    call.name += piece.function?.name ?? "";
    call.arguments += piece.function?.arguments ?? "";
  }
}

// Adds one event of the stream to the answer.
function addChunk(message: Message, chunk: Chunk): void {
  if (chunk.error) throw new Error(chunk.error.message);
  if (chunk.model) message.model = chunk.model;
  const choice = chunk.choices?.[0];
  message.content += choice?.delta?.content ?? "";
  message.reasoning += choice?.delta?.reasoning_content ?? "";
  addCalls(message.toolCalls, chunk);
  message.tokens.push(...(choice?.logprobs?.content ?? []).map(tokenOf));
  if (choice?.finish_reason) message.finish = choice.finish_reason;
}

// Streams an answer into `message`, calling `onNews` after each piece. Throws what `request` throws, an AbortError when
// `signal` says so, and an Error when the stream breaks off.
export async function streamAnswer(
  body: Record<string, unknown>,
  message: Message,
  signal: AbortSignal,
  onNews: () => void,
): Promise<void> {
  const begun = performance.now();
  let first = 0;
  let last = 0;
  let pieces = 0;
  const note = (): void => {
    const seconds = (last - first) / 1000;
    const stats = (message.stats ??= {
      completionTokens: 0, promptTokens: 0, cachedTokens: 0, reasoningTokens: 0, firstTokenMs: 0, tokensPerSecond: 0,
    });
    stats.firstTokenMs = first - begun;
    stats.completionTokens = pieces;
    stats.tokensPerSecond = seconds > 0 ? (pieces - 1) / seconds : 0;
  };
  const response = await request("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  let whole = false;
  for await (const data of eventData(response.body!)) {
    if (data === "[DONE]") {
      whole = true;
      break;
    }
    const chunk = JSON.parse(data) as Chunk;
    const delta = chunk.choices?.[0]?.delta;
    if (delta?.content || delta?.reasoning_content || delta?.tool_calls) {
      last = performance.now();
      first ||= last;
      pieces += 1; // nearly always one token
      note();
    }
    addChunk(message, chunk);
    if (chunk.usage && message.stats) {
      const seconds = (last - first) / 1000;
      message.stats.promptTokens = chunk.usage.prompt_tokens;
      message.stats.completionTokens = chunk.usage.completion_tokens;
      message.stats.cachedTokens = chunk.usage.prompt_tokens_details?.cached_tokens ?? 0;
      message.stats.reasoningTokens = chunk.usage.completion_tokens_details?.reasoning_tokens ?? 0;
      if (seconds > 0) message.stats.tokensPerSecond = (chunk.usage.completion_tokens - 1) / seconds;
    }
    onNews();
  }
  if (!whole) throw new Error("The answer broke off: the server closed the connection.");
}
