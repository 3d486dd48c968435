// A conversation is a tree: an edit or another answer is a new branch beside the old one, and `chosen` says which
// child of each message is shown. Plain data, as it lies in IndexedDB and in an exported file.

export interface ToolCall {
  id: string;
  name: string;
  arguments: string; // JSON as the model wrote it
}

export interface TokenChoice {
  text: string;
  logprob: number;
}
export interface TokenInfo extends TokenChoice {
  alternatives: TokenChoice[]; // the likeliest first, the token itself perhaps among them
}

export interface Stats {
  completionTokens: number;
  promptTokens: number;
  cachedTokens: number;
  reasoningTokens: number;
  firstTokenMs: number;
  tokensPerSecond: number;
}

export type Role = "user" | "assistant" | "tool";

export interface Message {
  id: string;
  parent: string; // "" for the first
  role: Role;
  content: string;
  reasoning: string;
  toolCalls: ToolCall[];
  toolCallId: string;
  model: string;
  finish: string; // why an answer ended: stop, length, tool_calls, stopped (by the reader), error
  error: string;
  tokens: TokenInfo[];
  stats: Stats | null;
}

export interface Settings {
  model: string; // "": the server's first
  system: string;
  temperature: number | null; // null: as the model's makers say
  topP: number | null;
  topK: number | null;
  minP: number | null;
  repetitionPenalty: number | null;
  seed: number | null;
  maxTokens: number | null;
  stop: string; // a stop string a line
  calculator: boolean;
  logprobs: boolean;
  json: boolean;
  schema: string;
}

export interface Conversation {
  id: string;
  title: string;
  named: boolean; // by the reader; otherwise the title follows the first message
  updated: number; // milliseconds since 1970
  settings: Settings;
  messages: Record<string, Message>;
  chosen: Record<string, string>; // by parent
}

export const defaultSettings: Settings = {
  model: "",
  system: "",
  temperature: null,
  topP: null,
  topK: null,
  minP: null,
  repetitionPenalty: null,
  seed: null,
  maxTokens: null,
  stop: "",
  calculator: false,
  logprobs: false,
  json: false,
  schema: "",
};

export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export function newConversation(settings: Settings): Conversation {
  return {
    id: newId(),
    title: "",
    named: false,
    updated: Date.now(),
    settings: { ...settings },
    messages: {},
    chosen: {},
  };
}

export function newMessage(parent: string, role: Role, content: string): Message {
  return {
    id: newId(),
    parent,
    role,
    content,
    reasoning: "",
    toolCalls: [],
    toolCallId: "",
    model: "",
    finish: "",
    error: "",
    tokens: [],
    stats: null,
  };
}

// All messages with one parent, in the order they were made.
export const childrenOf = (conversation: Conversation, parent: string): Message[] =>
  Object.values(conversation.messages).filter((message) => message.parent === parent);

// The messages shown, from the first to the last.
export function shownPath(conversation: Conversation): Message[] {
  const path: Message[] = [];
  let at = "";
  for (;;) {
    const chosen = conversation.chosen[at];
    const message = chosen === undefined ? undefined : conversation.messages[chosen];
    if (message === undefined) return path;
    path.push(message);
    at = message.id;
  }
}

// Puts a message at its place and shows it.
export function addMessage(conversation: Conversation, message: Message): void {
  conversation.messages[message.id] = message;
  conversation.chosen[message.parent] = message.id;
  conversation.updated = Date.now();
  if (!conversation.named && message.role === "user" && message.parent === "") {
    conversation.title = titleOf(message.content);
  }
}

function titleOf(content: string): string {
  const line = content.trim().split("\n")[0] ?? "";
  return line.length > 60 ? line.slice(0, 59).trimEnd() + "…" : line;
}
