// The chat at /.
import type { JSX } from "preact";
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { setApiKey } from "./api";
import { Chats } from "./chats";
import { Composer } from "./composer";
import { shownPath } from "./conversation";
import { MessageView } from "./message";
import { IconButton, KeyForm } from "./parts";
import { SettingsPanel } from "./settings";
import { Sidebar } from "./sidebar";

const chats = new Chats();

function useChats(): Chats {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const end = chats.subscribe(() => draw(null));
    void chats.start();
    return end;
  }, []);
  return chats;
}

function Welcome({ onAsk }: { onAsk: (text: string) => void }): JSX.Element {
  const ideas = ["What is the capital of France?", "Explain a paged KV cache to a ten-year-old.", "Write a haiku about paper."];
  return (
    <div class="welcome">
      <h2>Ask it something</h2>
      <p>The model runs on the machine that serves this page. What you write goes there and nowhere else.</p>
      <ul class="ideas">
        {ideas.map((idea) => (
          <li key={idea}>
            <button type="button" onClick={() => onAsk(idea)}>{idea}</button>
          </li>
        ))}
      </ul>
    </div>
  );
}

// Follows the end of what is written, unless the reader has scrolled away from it.
function useFollow(drawn: unknown): { ref: { current: HTMLDivElement | null }; onScroll: () => void } {
  const ref = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    const element = ref.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  });
  useEffect(() => {
    follows.current = true;
  }, [drawn]);
  const onScroll = (): void => {
    const element = ref.current!;
    follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
  };
  return { ref, onScroll };
}

function Thread({ chats }: { chats: Chats }): JSX.Element {
  const path = shownPath(chats.open);
  const { ref, onScroll } = useFollow(chats.open.id + String(chats.writing?.id));
  return (
    <div class="thread" ref={ref} onScroll={onScroll} tabIndex={0} role="region" aria-label="Conversation">
      {path.length === 0 && <Welcome onAsk={(text) => chats.send(text)} />}
      {path.map((message) => (
        <MessageView key={message.id} chats={chats} message={message} />
      ))}
    </div>
  );
}

function Title({ chats }: { chats: Chats }): JSX.Element {
  const [editing, setEditing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), [editing]);
  const title = chats.open.title || "New chat";
  if (!editing) {
    return (
      <div class="title">
        <h1 dir="auto">{title}</h1>
        {chats.open.title && <IconButton icon="edit" label="Rename the conversation" onClick={() => setEditing(true)} />}
      </div>
    );
  }
  return (
    <form
      class="title"
      onSubmit={(event) => {
        event.preventDefault();
        chats.rename(new FormData(event.currentTarget).get("title") as string);
        setEditing(false);
      }}
      onKeyDown={(event) => event.key === "Escape" && setEditing(false)}
    >
      <input name="title" aria-label="Title" dir="auto" ref={input} defaultValue={title} maxLength={200} />
      <button type="submit">Rename</button>
    </form>
  );
}

function useKeys(chats: Chats, closeAll: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && chats.writing) chats.stop();
      else if (event.key === "Escape") closeAll();
      if (event.altKey && event.code === "KeyN") {
        event.preventDefault();
        chats.newChat();
        document.getElementById("message")?.focus();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

export function Chat(): JSX.Element {
  const chats = useChats();
  const [menu, setMenu] = useState(false);
  const [settings, setSettings] = useState(false);
  useKeys(chats, () => {
    setMenu(false);
    setSettings(false);
  });
  useEffect(() => {
    document.title = chats.open.title ? `${chats.open.title} · Quire` : "Quire";
  });
  return (
    <div class={`chat ${menu ? "menu-open" : ""} ${settings ? "settings-open" : ""}`}>
      <a class="skip" href="#message">Skip to the message box</a>
      <Sidebar chats={chats} onClose={() => setMenu(false)} />
      <main>
        <header class="top">
          <span class="menu-button">
            <IconButton icon="menu" label="Conversations" expanded={menu} onClick={() => setMenu(!menu)} />
          </span>
          <Title chats={chats} />
          <IconButton icon="sliders" label="Settings" expanded={settings} onClick={() => setSettings(!settings)} />
        </header>
        {chats.needsKey ? (
          <KeyForm
            wrong={chats.wrongKey}
            onKey={(key, remember) => {
              setApiKey(key, remember);
              chats.wrongKey = true; // unless the server thinks otherwise
              void chats.loadModels();
            }}
          />
        ) : (
          <Thread chats={chats} />
        )}
        {chats.notice && (
          <p class="notice" role="alert">
            <span dir="auto">{chats.notice}</span>
            <IconButton
              icon="close"
              label="Dismiss"
              onClick={() => {
                chats.notice = "";
                chats.changed();
              }}
            />
          </p>
        )}
        {!chats.needsKey && <Composer chats={chats} />}
        <p class="spoken" role="status">{chats.spoken}</p>
      </main>
      {settings && <SettingsPanel chats={chats} onClose={() => setSettings(false)} />}
    </div>
  );
}
