// Settings of the open conversation; a new one begins with the same.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Chats } from "./chats";
import type { Settings } from "./conversation";
import { IconButton } from "./parts";

type NumberName = { [K in keyof Settings]: Settings[K] extends number | null ? K : never }[keyof Settings];

interface NumberField {
  name: NumberName;
  label: string;
  hint: string;
  min: number;
  max: number;
  step: number;
}

const NUMBERS: NumberField[] = [
  { name: "temperature", label: "Temperature", hint: "0 always takes the likeliest token", min: 0, max: 2, step: 0.05 },
  { name: "topP", label: "Top p", hint: "of the likeliest tokens, this much in all", min: 0.01, max: 1, step: 0.01 },
  { name: "topK", label: "Top k", hint: "only so many of the likeliest", min: 0, max: 1000, step: 1 },
  { name: "minP", label: "Min p", hint: "none below this part of the likeliest", min: 0, max: 1, step: 0.01 },
  { name: "repetitionPenalty", label: "Repetition penalty", hint: "above 1: less of what was said", min: 0.5, max: 2, step: 0.01 },
  { name: "maxTokens", label: "Max tokens", hint: "the longest answer", min: 1, max: 1_000_000, step: 1 },
  { name: "seed", label: "Seed", hint: "the same seed, the same answer", min: 0, max: 2 ** 53 - 1, step: 1 },
];

function NumberInput({ chats, field }: { chats: Chats; field: NumberField }): JSX.Element {
  const value = chats.open.settings[field.name];
  const [draft, setDraft] = useState<string | null>(null); // what is being typed
  const commit = (input: HTMLInputElement): void => {
    if (!input.reportValidity()) return;
    chats.change({ [field.name]: input.value === "" ? null : input.valueAsNumber });
    setDraft(null);
  };
  return (
    <label class="number">
      <span>
        {field.label}
        <small>{field.hint}</small>
      </span>
      <input
        type="number"
        aria-label={field.label}
        min={field.min}
        max={field.max}
        step={field.step}
        placeholder="auto"
        value={draft ?? value ?? ""}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onChange={(event) => commit(event.currentTarget)}
      />
    </label>
  );
}

type SwitchName = "json" | "calculator" | "logprobs";
function Switch({ chats, name, label, hint }: { chats: Chats; name: SwitchName; label: string; hint: string }): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        aria-label={label}
        checked={chats.open.settings[name]}
        onChange={(event) => chats.change({ [name]: event.currentTarget.checked })}
      />
      <span>
        {label}
        <small>{hint}</small>
      </span>
    </label>
  );
}

export function SettingsPanel({ chats, onClose }: { chats: Chats; onClose: () => void }): JSX.Element {
  const settings = chats.open.settings;
  return (
    <aside class="settings" aria-label="Settings">
      <div class="settings-top">
        <h2>Settings</h2>
        <IconButton icon="close" label="Close the settings" onClick={onClose} />
      </div>
      <label class="field">
        <span>Model</span>
        <select value={settings.model} onChange={(event) => chats.change({ model: event.currentTarget.value })}>
          <option value="">{chats.models[0] ? `${chats.models[0].id} (the first)` : "the server's first"}</option>
          {chats.models.slice(1).map((model) => <option key={model.id} value={model.id}>{model.id}</option>)}
        </select>
      </label>
      <label class="field">
        <span>System prompt</span>
        <textarea
          rows={3}
          dir="auto"
          placeholder="Who the model is, how it answers"
          value={settings.system}
          onInput={(event) => chats.change({ system: event.currentTarget.value })}
        />
      </label>
      <h3>Sampling</h3>
      {NUMBERS.map((field) => <NumberInput key={field.name} chats={chats} field={field} />)}
      <label class="field">
        <span>Stop strings, one a line</span>
        <textarea rows={2} value={settings.stop} onInput={(event) => chats.change({ stop: event.currentTarget.value })} />
      </label>
      <h3>Answers</h3>
      <Switch chats={chats} name="json" label="Answer in JSON" hint="held to the schema below, or any JSON" />
      {settings.json && (
        <label class="field">
          <span>JSON schema</span>
          <textarea
            class="mono"
            rows={6}
            spellcheck={false}
            placeholder={'{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'}
            value={settings.schema}
            onInput={(event) => chats.change({ schema: event.currentTarget.value })}
          />
        </label>
      )}
      <Switch chats={chats} name="calculator" label="Calculator" hint="a tool that runs in this page; the model must know tools" />
      <Switch chats={chats} name="logprobs" label="Token probabilities" hint="each token's alternatives, on hover" />
    </aside>
  );
}
