// What the page knows and does: conversations, which is open, and the answer that is being written. Components read it
// and are drawn again when it changes.
import { NeedsKey, listModels, type Model, requestBody, streamAnswer } from "./api";
import { runCall } from "./calculator";
import {
  addMessage,
  childrenOf,
  type Conversation,
  defaultSettings,
  type Message,
  newConversation,
  newMessage,
  type Settings,
  shownPath,
} from "./conversation";
import { Store } from "./store";
import { exportText, importText } from "./transfer";

const MAX_TOOL_ROUNDS = 8;
const SETTINGS = "quire-settings";

function savedSettings(): Settings {
  try {
    return { ...defaultSettings, ...(JSON.parse(localStorage.getItem(SETTINGS) ?? "{}") as Partial<Settings>) };
  } catch {
    return { ...defaultSettings };
  }
}

export class Chats {
  conversations: Conversation[] = [];
  open: Conversation = newConversation(savedSettings());
  models: Model[] = [];
  writing: Message | null = null; // the answer that is being written
  needsKey = false;
  wrongKey = false;
  notice = ""; // what went wrong outside an answer
  spoken = ""; // for screen readers
  private store = new Store();
  private abort: AbortController | null = null;
  private listeners = new Set<() => void>();
  private drawing = 0;

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // At most once a frame, however fast tokens come.
  changed(): void {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      for (const listener of this.listeners) listener();
    });
  }

  async start(): Promise<void> {
    try {
      const stored = await this.store.all();
      this.conversations = [...stored.sort((a, b) => b.updated - a.updated), ...this.conversations];
    } catch {
      this.notice = "This browser keeps no conversations here (a private window?): export what you want to keep.";
    }
    await this.loadModels();
  }

  async loadModels(): Promise<void> {
    try {
      this.models = await listModels();
      this.needsKey = this.wrongKey = false;
    } catch (error) {
      if (error instanceof NeedsKey) this.needsKey = true;
      else this.notice = (error as Error).message;
    }
    this.changed();
  }

  // --- Conversations ---

  newChat(): void {
    this.stop();
    this.open = newConversation({ ...this.open.settings });
    this.changed();
  }
  show(conversation: Conversation): void {
    if (conversation === this.open) return;
    this.stop();
    this.open = conversation;
    this.changed();
  }
  rename(title: string): void {
    this.open.title = title.trim().slice(0, 200) || this.open.title;
    this.open.named = true;
    this.save(this.open);
  }
  // Out of the list when it is out of the store, so that what is not seen is gone.
  async remove(conversation: Conversation): Promise<void> {
    if (conversation === this.open) this.newChat();
    await this.store.remove(conversation.id).catch(() => undefined);
    this.conversations = this.conversations.filter((other) => other !== conversation);
    this.changed();
  }
  private save(conversation: Conversation): void {
    this.conversations = [conversation, ...this.conversations.filter((other) => other !== conversation)];
    void this.store.put(structuredClone(conversation)).catch(() => undefined);
    this.changed();
  }

  change(settings: Partial<Settings>): void {
    Object.assign(this.open.settings, settings);
    localStorage.setItem(SETTINGS, JSON.stringify(this.open.settings));
    if (this.conversations.includes(this.open)) void this.store.put(structuredClone(this.open)).catch(() => undefined);
    this.changed();
  }

  exportAll(): string {
    return exportText(this.conversations);
  }
  import(source: string): void {
    try {
      const read = importText(source);
      for (const conversation of read.toReversed()) this.save(conversation);
      if (read[0]) this.show(read[0]);
      this.notice = "";
      this.spoken = `${read.length} conversations imported`;
    } catch (error) {
      this.notice = `Nothing was imported: ${(error as Error).message}.`;
    }
    this.changed();
  }

  // --- Messages ---

  send(content: string): void {
    if (this.writing || content.trim() === "") return;
    const parent = shownPath(this.open).at(-1)?.id ?? "";
    addMessage(this.open, newMessage(parent, "user", content));
    void this.answer();
  }
  // Another message beside `message`, and an answer to it.
  edit(message: Message, content: string): void {
    if (this.writing || content.trim() === "") return;
    addMessage(this.open, newMessage(message.parent, "user", content));
    void this.answer();
  }
  // Another answer beside `message`.
  regenerate(message: Message): void {
    if (this.writing) return;
    delete this.open.chosen[message.parent];
    void this.answer();
  }
  // The branch `step` places on from the one that `message` begins.
  turn(message: Message, step: number): void {
    if (this.writing) return;
    const branches = childrenOf(this.open, message.parent);
    const next = branches[branches.indexOf(message) + step];
    if (next) this.open.chosen[message.parent] = next.id;
    this.save(this.open);
  }
  stop(): void {
    this.abort?.abort();
  }

  // Writes an answer to what is shown, and runs the tools it calls, until it calls none.
  private async answer(): Promise<void> {
    const conversation = this.open;
    for (let round = 0; round < MAX_TOOL_ROUNDS; ++round) {
      const message = await this.answerOnce(conversation);
      if (message.finish !== "tool_calls") return;
      let parent = message.id;
      for (const call of message.toolCalls) {
        const result = newMessage(parent, "tool", runCall(call.name, call.arguments));
        result.toolCallId = call.id;
        addMessage(conversation, result);
        parent = result.id;
      }
      this.save(conversation);
    }
  }

  private async answerOnce(conversation: Conversation): Promise<Message> {
    const path = shownPath(conversation);
    const message = newMessage(path.at(-1)?.id ?? "", "assistant", "");
    addMessage(conversation, message);
    this.save(conversation);
    this.writing = message;
    this.notice = "";
    this.spoken = "The answer begins";
    const abort = (this.abort = new AbortController());
    try {
      const body = requestBody(path, conversation.settings);
      await streamAnswer(body, message, abort.signal, () => this.changed());
      this.spoken = `Answer: ${message.content.slice(0, 1000) || "a tool is called"}`;
    } catch (error) {
      message.finish = abort.signal.aborted ? "stopped" : "error";
      message.error = abort.signal.aborted ? "" : (error as Error).message;
      if (error instanceof NeedsKey) this.needsKey = this.wrongKey = true;
      this.spoken = abort.signal.aborted ? "Stopped" : `Error: ${message.error}`;
    }
    this.writing = null;
    conversation.updated = Date.now();
    this.save(conversation);
    return message;
  }
}
