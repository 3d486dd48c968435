// The list of conversations, and what is done with all of them.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Chats } from "./chats";
import { Brand, Icon, IconButton, ThemeChoice } from "./parts";

function save(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function Sidebar({ chats, onClose }: { chats: Chats; onClose: () => void }): JSX.Element {
  const [doomed, setDoomed] = useState(""); // the conversation whose removal was asked for once
  return (
    <nav class="sidebar" aria-label="Conversations">
      <div class="sidebar-top">
        <Brand />
        <span class="menu-button">
          <IconButton icon="close" label="Close the list" onClick={onClose} />
        </span>
      </div>
      <button
        type="button"
        class="new-chat"
        onClick={() => {
          chats.newChat();
          onClose();
          document.getElementById("message")?.focus();
        }}
      >
        <Icon name="plus" />
        New chat
      </button>
      <ul class="conversations">
        {chats.conversations.map((conversation) => {
          const title = conversation.title || "Untitled";
          const asked = doomed === conversation.id;
          return (
            <li key={conversation.id} class={conversation === chats.open ? "open" : ""}>
              <button
                type="button"
                class="conversation"
                dir="auto"
                aria-current={conversation === chats.open ? "true" : undefined}
                onClick={() => {
                  chats.show(conversation);
                  onClose();
                }}
              >
                {title}
              </button>
              <button
                type="button"
                class={asked ? "delete asked" : "delete"}
                aria-label={asked ? `Delete "${title}" for good` : `Delete "${title}"`}
                title={asked ? "Delete for good" : "Delete"}
                onBlur={() => setDoomed("")}
                onClick={() => (asked ? void chats.remove(conversation) : setDoomed(conversation.id))}
              >
                {asked ? "Delete?" : <Icon name="trash" />}
              </button>
            </li>
          );
        })}
      </ul>
      <div class="sidebar-bottom">
        <a class="text-button" href="/engine">
          <Icon name="bars" />
          Engine view
        </a>
        <IconButton icon="down" label="Export all conversations" onClick={() => save("quire-conversations.json", chats.exportAll())}>
          Export
        </IconButton>
        <label class="text-button import">
          <Icon name="up" />
          Import
          <input
            type="file"
            accept="application/json,.json"
            aria-label="Import conversations"
            onChange={(event) => {
              const input = event.currentTarget;
              void input.files?.[0]?.text().then((text) => {
                chats.import(text);
                input.value = "";
              });
            }}
          />
        </label>
        <ThemeChoice />
      </div>
    </nav>
  );
}
