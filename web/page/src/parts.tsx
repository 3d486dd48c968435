// Small things that several views use.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { applyTheme, currentTheme, type Theme } from "./theme";

const PATHS = {
  menu: "M3 5h14M3 10h14M3 15h14",
  plus: "M10 4v12M4 10h12",
  sliders: "M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4",
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  again: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
  edit: "M4 16l.8-3.6L13.4 4l2.6 2.6-8.4 8.6z",
  copy: "M7 7h9v9H7zM13 7V4H4v9h3",
  left: "M12 5l-5 5 5 5",
  right: "M8 5l5 5-5 5",
  close: "M5 5l10 10M15 5L5 15",
  trash: "M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6",
  bars: "M4 16v-5M8 16V6M12 16V9M16 16V4",
  down: "M10 3v10M5.5 9l4.5 4.5L14.5 9M4 16.5h12",
  up: "M10 14V4M5.5 8L10 3.5 14.5 8M4 16.5h12",
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  disabled?: boolean;
  expanded?: boolean;
  children?: ComponentChildren;
}

// A button with an icon; with children they are its text, else `label` is its name and its hint.
export function IconButton({ icon, label, onClick, disabled = false, expanded, children }: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class={children === undefined ? "icon-button" : "text-button"}
      aria-label={label}
      title={children === undefined ? label : undefined}
      aria-expanded={expanded}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
      {children}
    </button>
  );
}

export function Brand(): JSX.Element {
  return (
    <a class="brand" href="/">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" />
        <path d="M8 9q4-2 8 0v15q-4-2-8 0zM24 9q-4-2-8 0v15q4-2 8 0z" />
      </svg>
      Quire
    </a>
  );
}

export function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useState<Theme>(currentTheme());
  const choose = (value: Theme): void => {
    applyTheme(value);
    setTheme(value);
  };
  return (
    <label class="theme-choice">
      <span>Theme</span>
      <select value={theme} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        <option value="auto">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

// Asks for an API key.
export function KeyForm({ wrong, onKey }: { wrong: boolean; onKey: (key: string, remember: boolean) => void }): JSX.Element {
  const [key, setKey] = useState("");
  const [remember, setRemember] = useState(false);
  return (
    <form
      class="key-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim()) onKey(key.trim(), remember);
      }}
    >
      <h2>This server asks for an API key</h2>
      <p>Whoever runs it has a list of keys. Yours stays in this browser and goes to this server alone.</p>
      {wrong && <p class="error" role="alert">The key is missing or wrong.</p>}
      <label class="field">
        <span>API key</span>
        <input type="password" autocomplete="off" value={key} onInput={(event) => setKey(event.currentTarget.value)} />
      </label>
      <label class="check">
        <input type="checkbox" checked={remember} onChange={(event) => setRemember(event.currentTarget.checked)} />
        Remember it on this device
      </label>
      <button type="submit" class="primary">Use this key</button>
    </form>
  );
}

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
