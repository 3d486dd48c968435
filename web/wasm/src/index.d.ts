/** Why a call failed. */
export class QuireError extends Error {
  /** invalid_argument | bad_model | damaged_download | fetch_failed | out_of_memory | closed | failed */
  readonly code: string;
}

export interface Message {
  role: "system" | "user" | "assistant" | (string & {});
  content: string;
}

/** A piece of an answer, whole UTF-8. The last one has the reason it ends. */
export interface Delta {
  text: string;
  tokens: number[];
  kind: "text" | "tool_call" | "tool_result";
  finishReason?: "stop" | "length" | "cancelled" | "error";
}

/**
 * Fields of a request (docs/guide.md) in camel case; what is left out is as on the command line: greedy, 256 tokens. A
 * name that the core does not know is an error.
 */
export interface GenerateOptions {
  maxTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  seed?: number;
  stop?: string[];
  ignoreEos?: boolean;
  /** Ends the answer; the iteration then throws the signal's reason. */
  signal?: AbortSignal;
  [field: string]: unknown;
}

export interface LoadOptions {
  /** Bytes of the package fetched and checked so far; what was kept from before counts at once. */
  onProgress?(progress: { file: string; loaded: number; total: number }): void;
  /** Threads to compute on where the page is cross-origin isolated, else one. Left out: the cores, at most 8. */
  threads?: number;
  /** Blocks of 16 tokens that the cache holds; left out, a quarter of the module's 4 GiB, committed as it fills. */
  kvBlocks?: number;
  /** Answers computed at once; more wait. Left out: 4. */
  maxSequences?: number;
}

export interface Llm {
  readonly info: {
    vocab_size: number;
    max_seq_len: number;
    chat: boolean;
    kv_blocks: number;
    /** Threads that compute. */
    threads: number;
    /** Memory of the module after loading: the model and its cache. */
    memory_bytes: number;
  };
  chat(messages: Message[], options?: GenerateOptions): AsyncGenerator<Delta, void, void>;
  generate(prompt: string, options?: GenerateOptions): AsyncGenerator<Delta, void, void>;
  tokenize(input: string | Message[]): Promise<number[]>;
  close(): void;
}

export function load(url: string | URL, options?: LoadOptions): Promise<Llm>;
