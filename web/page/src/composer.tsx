// Where the reader writes.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Chats } from "./chats";
import { Icon } from "./parts";

export function Composer({ chats }: { chats: Chats }): JSX.Element {
  const [text, setText] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const area = box.current!;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 240)}px`;
  }, [text]);
  useEffect(() => box.current?.focus(), []);
  const send = (): void => {
    if (chats.writing || text.trim() === "") return;
    chats.send(text);
    setText("");
  };
  const { json, calculator, logprobs } = chats.open.settings;
  const modes = [json && "JSON", calculator && "calculator", logprobs && "probabilities"].filter(Boolean).join(" · ");
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
        box.current?.focus();
      }}
    >
      <div class="composer-box">
        <textarea
          id="message"
          ref={box}
          aria-label="Message"
          placeholder="Write a message"
          dir="auto"
          rows={1}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        {chats.writing ? (
          <button type="button" class="send stop" onClick={() => chats.stop()} aria-label="Stop" title="Stop (Esc)">
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="send" disabled={text.trim() === ""} aria-label="Send" title="Send (Enter)">
            <Icon name="send" />
          </button>
        )}
      </div>
      <p class="hint">
        {modes && <span class="modes">{modes}</span>}
        <span>Small models make things up. Check what matters.</span>
      </p>
    </form>
  );
}
