// One message, and what can be done with it.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chats } from "./chats";
import { childrenOf, type Message, type Stats } from "./conversation";
import { renderMarkdown } from "./markdown";
import { IconButton } from "./parts";
import { TokenView } from "./tokens";

function Markdown({ text }: { text: string }): JSX.Element {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => ref.current!.replaceChildren(renderMarkdown(text)), [text]);
  return <div class="markdown" ref={ref} />;
}

function Branches({ chats, message }: { chats: Chats; message: Message }): JSX.Element | null {
  const branches = childrenOf(chats.open, message.parent);
  if (branches.length < 2) return null;
  const place = branches.indexOf(message);
  const busy = chats.writing !== null;
  return (
    <span class="branches" role="group" aria-label="Versions">
      <IconButton icon="left" label="Earlier version" disabled={busy || place === 0} onClick={() => chats.turn(message, -1)} />
      <span aria-label={`version ${place + 1} of ${branches.length}`}>{`${place + 1}/${branches.length}`}</span>
      <IconButton icon="right" label="Later version" disabled={busy || place === branches.length - 1} onClick={() => chats.turn(message, 1)} />
    </span>
  );
}

// Browsers have a clipboard on loopback and over HTTPS only.
function CopyButton({ text }: { text: string }): JSX.Element | null {
  const [done, setDone] = useState(false);
  if (!("clipboard" in navigator)) return null;
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => setDone(true));
  };
  return <IconButton icon="copy" label={done ? "Copied" : "Copy"} onClick={copy} />;
}

function Edit({ chats, message, onDone }: { chats: Chats; message: Message; onDone: () => void }): JSX.Element {
  const [text, setText] = useState(message.content);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current!.focus(), []);
  const send = (): void => {
    chats.edit(message, text);
    onDone();
  };
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onKeyDown={(event) => event.key === "Escape" && onDone()}
    >
      <textarea
        aria-label="Edited message"
        dir="auto"
        rows={Math.min(12, text.split("\n").length + 1)}
        ref={box}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="row">
        <button type="button" onClick={onDone}>Cancel</button>
        <button type="submit" class="primary">Send as a new version</button>
      </div>
    </form>
  );
}

function UserMessage({ chats, message }: { chats: Chats; message: Message }): JSX.Element {
  const [editing, setEditing] = useState(false);
  return (
    <article class="message user" aria-label="You">
      {editing ? (
        <Edit chats={chats} message={message} onDone={() => setEditing(false)} />
      ) : (
        <p class="bubble" dir="auto">{message.content}</p>
      )}
      <div class="actions">
        <Branches chats={chats} message={message} />
        <IconButton icon="edit" label="Edit" disabled={chats.writing !== null} onClick={() => setEditing(true)} />
        <CopyButton text={message.content} />
      </div>
    </article>
  );
}

function statsText(stats: Stats): string[] {
  const parts = [`${stats.completionTokens} tokens`];
  if (stats.reasoningTokens > 0) parts.push(`${stats.reasoningTokens} of them thoughts`);
  if (stats.tokensPerSecond > 0) parts.push(`${stats.tokensPerSecond.toFixed(1)} tokens/s`);
  parts.push(`first token ${Math.round(stats.firstTokenMs)} ms`);
  if (stats.promptTokens > 0) parts.push(`${stats.cachedTokens} of ${stats.promptTokens} prompt tokens cached`);
  return parts;
}

const ENDS: Record<string, string> = {
  length: "Cut off: the limit of tokens is reached",
  stopped: "Stopped",
};

function Reasoning({ text, open }: { text: string; open: boolean }): JSX.Element {
  return (
    <details class="reasoning" open={open}>
      <summary>{open ? "Thinking…" : "Thoughts"}</summary>
      <p dir="auto">{text}</p>
    </details>
  );
}

function Calls({ message }: { message: Message }): JSX.Element {
  return (
    <>
      {message.toolCalls.map((call) => (
        <div class="call" key={call.id} role="group" aria-label={`Tool call: ${call.name}`}>
          <span class="call-name">{call.name}</span>
          <code dir="auto">{call.arguments}</code>
        </div>
      ))}
    </>
  );
}

function AnswerBody({ message, writing }: { message: Message; writing: boolean }): JSX.Element {
  const [tokens, setTokens] = useState(false);
  return (
    <>
      {message.reasoning && <Reasoning text={message.reasoning} open={writing && message.content === ""} />}
      {message.content && (tokens ? <TokenView tokens={message.tokens} /> : <Markdown text={message.content} />)}
      <Calls message={message} />
      {writing && !message.content && !message.reasoning && <p class="waiting" aria-hidden="true"><i /><i /><i /></p>}
      {message.error && <p class="error" role="alert" dir="auto">{message.error}</p>}
      {ENDS[message.finish] && <p class="end">{ENDS[message.finish]}</p>}
      {message.tokens.length > 0 && !writing && (
        <label class="check tokens-switch">
          <input type="checkbox" checked={tokens} onChange={(event) => setTokens(event.currentTarget.checked)} />
          Show token probabilities
        </label>
      )}
    </>
  );
}

function Answer({ chats, message }: { chats: Chats; message: Message }): JSX.Element {
  const writing = chats.writing === message;
  return (
    <article class="message assistant" aria-label="Answer" aria-busy={writing}>
      <AnswerBody message={message} writing={writing} />
      <div class="actions">
        {!writing && (
          <>
            <Branches chats={chats} message={message} />
            <IconButton icon="again" label="Regenerate" disabled={chats.writing !== null} onClick={() => chats.regenerate(message)} />
            <CopyButton text={message.content} />
          </>
        )}
        {message.stats && (
          <span class="stats">
            {statsText(message.stats).map((part) => <span key={part}>{part}</span>)}
          </span>
        )}
      </div>
    </article>
  );
}

export function MessageView({ chats, message }: { chats: Chats; message: Message }): JSX.Element {
  if (message.role === "user") return <UserMessage chats={chats} message={message} />;
  if (message.role === "assistant") return <Answer chats={chats} message={message} />;
  return (
    <div class="message tool" role="group" aria-label="Tool result">
      <span class="call-name">result</span>
      <code dir="auto">{message.content}</code>
    </div>
  );
}
