// Conversations to a file and back. A file is somebody else's data: everything in it is checked, what is not known is
// dropped, ids are made anew, and what would not be a tree is refused.
import {
  type Conversation,
  defaultSettings,
  type Message,
  newConversation,
  newId,
  newMessage,
  type Role,
  type Settings,
  type Stats,
  type TokenChoice,
  type TokenInfo,
  type ToolCall,
} from "./conversation";

const FORMAT = "quire-conversations";
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_MESSAGES = 20_000;

export function exportText(conversations: Conversation[]): string {
  return JSON.stringify({ format: FORMAT, version: 1, conversations }, null, 1);
}

type Json = Record<string, unknown>;

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Json;
}
function list(value: unknown, what: string): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`${what} is no list`);
  return value;
}
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
const maybeNumber = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

function readSettings(value: unknown): Settings {
  if (value === undefined) return { ...defaultSettings };
  const from = object(value, "settings");
  const settings = { ...defaultSettings } as unknown as Json;
  for (const [name, standard] of Object.entries(defaultSettings)) {
    if (standard === null) settings[name] = maybeNumber(from[name]);
    else if (typeof from[name] === typeof standard) settings[name] = from[name];
  }
  return settings as unknown as Settings;
}

function readChoice(value: unknown): TokenChoice {
  const from = object(value, "a token");
  return { text: text(from.text), logprob: number(from.logprob) };
}

function readToken(value: unknown): TokenInfo {
  const alternatives = list(object(value, "a token").alternatives, "alternatives").map(readChoice);
  return { ...readChoice(value), alternatives };
}

function readCall(value: unknown): ToolCall {
  const from = object(value, "a tool call");
  return { id: text(from.id), name: text(from.name), arguments: text(from.arguments) };
}

function readStats(value: unknown): Stats | null {
  if (value === null || value === undefined) return null;
  const from = object(value, "stats");
  return {
    completionTokens: number(from.completionTokens),
    promptTokens: number(from.promptTokens),
    cachedTokens: number(from.cachedTokens),
    reasoningTokens: number(from.reasoningTokens),
    firstTokenMs: number(from.firstTokenMs),
    tokensPerSecond: number(from.tokensPerSecond),
  };
}

function readRole(value: unknown): Role {
  if (value === "user" || value === "assistant" || value === "tool") return value;
  throw new Error("a message's role is none of user, assistant and tool");
}

function readMessage(value: unknown): Message {
  const from = object(value, "a message");
  return {
    ...newMessage("", readRole(from.role), text(from.content)),
    reasoning: text(from.reasoning),
    toolCalls: list(from.toolCalls, "toolCalls").map(readCall),
    toolCallId: text(from.toolCallId),
    model: text(from.model),
    finish: text(from.finish),
    error: text(from.error),
    tokens: list(from.tokens, "tokens").map(readToken),
    stats: readStats(from.stats),
  };
}

function readConversation(value: unknown): Conversation {
  const from = object(value, "a conversation");
  const conversation = newConversation(readSettings(from.settings));
  conversation.title = text(from.title).slice(0, 200);
  conversation.named = from.named === true;
  conversation.updated = number(from.updated);
  const given = Object.entries(object(from.messages, "messages"));
  if (given.length > MAX_MESSAGES) throw new Error(`a conversation has more than ${MAX_MESSAGES} messages`);
  const ids = new Map<string, string>([["", ""]]);
  // A parent comes before its children, as they were made, so there can be no circle.
  for (const [old, message] of given) {
    const parent = ids.get(text((message as Json | null)?.parent));
    if (parent === undefined || ids.has(old)) throw new Error("a message comes before the one it answers");
    const read = { ...readMessage(message), id: newId(), parent };
    ids.set(old, read.id);
    conversation.messages[read.id] = read;
    conversation.chosen[parent] ??= read.id;
  }
  for (const [parent, chosen] of Object.entries(object(from.chosen ?? {}, "chosen"))) {
    const newParent = ids.get(parent);
    const newChosen = ids.get(text(chosen));
    if (newParent === undefined || !newChosen) continue;
    if (conversation.messages[newChosen]?.parent === newParent) conversation.chosen[newParent] = newChosen;
  }
  return conversation;
}

// Throws an Error that says what is wrong with the file.
export function importText(source: string): Conversation[] {
  if (source.length > MAX_BYTES) throw new Error("the file is larger than 64 MiB");
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch {
    throw new Error("the file is no JSON");
  }
  const file = object(json, "the file");
  if (file.format !== FORMAT) throw new Error("the file is none of this page's exports");
  if (file.version !== 1) throw new Error("the file is of a later version of this page");
  return list(file.conversations, "conversations").map(readConversation);
}
