// The engine at work, at /engine: who runs and waits, what each step computed, and whose every block of the cache is.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { NeedsKey, setApiKey } from "./api";
import { type EngineState, fetchState, hueOf, type ModelView, type SequenceView, type StepView, type Tile, tilesOf } from "./engine_data";
import { Brand, KeyForm, percent, ThemeChoice } from "./parts";

const INTERVAL_MS = 250;
const SHOWN_STEPS = 120;

interface Watched {
  state: EngineState | null;
  steps: Map<string, StepView[]>; // of each model, the last ones
  problem: string;
  needsKey: boolean;
}

// Asks again and again while the page is looked at, and keeps the last steps of each model.
function useEngine(paused: boolean, key: number): Watched {
  const [watched, setWatched] = useState<Watched>({ state: null, steps: new Map(), problem: "", needsKey: false });
  useEffect(() => {
    if (paused) return;
    let timer = 0;
    let over = false;
    let steps = new Map<string, StepView[]>();
    const ask = async (): Promise<void> => {
      try {
        const last = Math.min(...[...steps.values()].map((list) => list.at(-1)?.number ?? 0), Number.MAX_SAFE_INTEGER);
        const state = await fetchState(steps.size > 0 ? last : 0);
        steps = new Map(state.models.map((model) => [model.name, joined(steps.get(model.name) ?? [], model)]));
        if (!over) setWatched({ state, steps, problem: "", needsKey: false });
      } catch (error) {
        const needsKey = error instanceof NeedsKey;
        if (!over) setWatched({ state: null, steps, problem: (error as Error).message, needsKey });
      }
      if (!over) timer = setTimeout(() => void ask(), document.hidden ? 4 * INTERVAL_MS : INTERVAL_MS);
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [paused, key]);
  return watched;
}

function joined(old: StepView[], model: ModelView): StepView[] {
  const last = old.at(-1)?.number ?? 0;
  if (model.steps_done < last) return model.steps.slice(-SHOWN_STEPS); // it was unloaded, and counts anew
  return [...old, ...model.steps.filter((step) => step.number > last)].slice(-SHOWN_STEPS);
}

// A colour of style.css as it is now, light or dark, for a canvas.
function ink(canvas: HTMLCanvasElement, name: string): string {
  canvas.style.color = `var(${name})`;
  return getComputedStyle(canvas).color;
}
// Seen well on a light and on a dark ground.
const sequenceColour = (id: number, strength = 1): string => `hsl(${hueOf(id)} 48% 55% / ${strength})`;

// A drawing that fills its place, in pixels of the screen; drawn again after every render.
function Drawing({ height, label, draw, onPoint }: {
  height: number;
  label: string;
  draw: (context: CanvasRenderingContext2D, width: number, height: number) => void;
  onPoint?: (x: number, y: number) => void;
}): JSX.Element {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current!;
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    if (canvas.width !== width * scale) canvas.width = width * scale;
    if (canvas.height !== height * scale) canvas.height = height * scale;
    const context = canvas.getContext("2d")!;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  });
  return (
    <canvas
      ref={ref}
      role="img"
      aria-label={label}
      style={{ height: `${height}px` }}
      onPointerMove={(event) => onPoint?.(event.offsetX, event.offsetY)}
    />
  );
}

// --- Steps ---

function stepText(step: StepView): string {
  const tokens = step.sequences.reduce((sum, [, , fresh]) => sum + fresh, 0);
  const decodes = step.sequences.filter(([, , fresh, drafts]) => fresh - drafts === 1).length;
  const parts = [`step ${step.number}: ${tokens} tokens in ${step.duration_ms.toFixed(1)} ms`, `${decodes} decoding`, `${step.sequences.length - decodes} of prompts`];
  if (step.hit_tokens > 0) parts.push(`${step.hit_tokens} tokens found in the cache`);
  if (step.preempted.length > 0) parts.push(`preempted: ${step.preempted.join(", ")}`);
  return parts.join(" · ");
}

// A column a step: a piece a sequence, the higher the more tokens it computed. By the square root, so that decoding
// sequences can be seen beside a prompt's chunk.
const heightOf = (fresh: number): number => Math.sqrt(fresh);

function drawSteps(steps: StepView[], context: CanvasRenderingContext2D, width: number, height: number): void {
  const column = width / SHOWN_STEPS;
  const floor = height - 16;
  const most = Math.max(8, ...steps.map((step) => step.sequences.reduce((sum, [, , fresh]) => sum + heightOf(fresh), 0)));
  steps.forEach((step, index) => {
    const x = index * column;
    let y = floor;
    for (const [id, , fresh] of step.sequences) {
      const tall = (heightOf(fresh) / most) * (floor - 14);
      context.fillStyle = sequenceColour(id);
      context.fillRect(x + 0.5, y - tall, Math.max(1, column - 1), Math.max(0.75, tall - (tall > 4 ? 0.75 : 0)));
      y -= tall;
    }
    if (step.hit_tokens > 0) {
      context.fillStyle = ink(context.canvas, "--accent");
      context.beginPath();
      context.arc(x + column / 2, height - 8, 3, 0, 7);
      context.fill();
    }
    if (step.preempted.length > 0) {
      context.fillStyle = ink(context.canvas, "--danger");
      context.fillRect(x + column / 2 - 3, height - 11, 6, 6);
    }
  });
  context.fillStyle = ink(context.canvas, "--line");
  context.fillRect(0, floor, width, 1);
}

function Steps({ steps }: { steps: StepView[] }): JSX.Element {
  const [at, setAt] = useState(-1);
  const width = useRef(1);
  const step = steps[at] ?? steps.at(-1);
  return (
    <section class="panel wide-panel" aria-label="Steps">
      <h2>Steps</h2>
      <p class="legend">A column a step, a colour a sequence, the taller the more tokens it computed. <b class="dot hit" /> found in the cache <b class="dot preempted" /> preempted</p>
      <Drawing
        height={150}
        label={step ? stepText(step) : "No step yet"}
        draw={(context, wide, high) => {
          width.current = wide;
          drawSteps(steps, context, wide, high);
        }}
        onPoint={(x) => setAt(Math.floor((x / width.current) * SHOWN_STEPS))}
      />
      <p class="detail">{step ? stepText(step) : "No step yet: send a request."}</p>
    </section>
  );
}

// --- Blocks ---

function tileText(block: number, tile: Tile, size: number): string {
  if (tile.kind === "blank") return `block ${block}: free`;
  if (tile.kind === "findable") return `block ${block}: free, its ${size} tokens can still be found by a prompt that begins with them`;
  const who = tile.kind === "shared" ? `shared by sequences ${tile.holders.join(", ")}` : `of sequence ${tile.sequence}`;
  return `block ${block}: ${who}, ${Math.round(tile.filled * size)} of ${size} places filled`;
}

function tileGrid(count: number, width: number): { side: number; columns: number; rows: number } {
  const side = count > 4000 ? 7 : count > 1500 ? 9 : count > 500 ? 12 : 16;
  const columns = Math.max(1, Math.floor(width / side));
  return { side, columns, rows: Math.ceil(count / columns) };
}

function drawTiles(tiles: Tile[], context: CanvasRenderingContext2D, width: number): void {
  const { side, columns } = tileGrid(tiles.length, width);
  const line = ink(context.canvas, "--line");
  const strong = ink(context.canvas, "--ink");
  const soft = ink(context.canvas, "--line-strong");
  tiles.forEach((tile, index) => {
    const x = (index % columns) * side;
    const y = Math.floor(index / columns) * side;
    const inner = side - 2;
    context.fillStyle = line;
    if (tile.kind === "blank") {
      context.fillRect(x + side / 2 - 1, y + side / 2 - 1, 2, 2);
    } else if (tile.kind === "findable") {
      context.fillRect(x, y, inner, inner);
      context.fillStyle = soft;
      context.fillRect(x + side / 2 - 2, y + side / 2 - 2, 2, 2);
    } else {
      context.fillStyle = sequenceColour(tile.sequence, 0.25);
      context.fillRect(x, y, inner, inner);
      context.fillStyle = sequenceColour(tile.sequence);
      context.fillRect(x, y + inner * (1 - tile.filled), inner, inner * tile.filled);
      if (tile.kind === "shared") {
        context.strokeStyle = strong;
        context.lineWidth = 1.5;
        context.strokeRect(x + 0.75, y + 0.75, inner - 1.5, inner - 1.5);
      }
    }
  });
}

function Blocks({ model }: { model: ModelView }): JSX.Element {
  const [at, setAt] = useState(-1);
  const [width, setWidth] = useState(800);
  const tiles = tilesOf(model);
  const shared = tiles.filter((tile) => tile.kind === "shared").length;
  const { side, columns, rows } = tileGrid(tiles.length, width);
  const tile = tiles[at];
  return (
    <section class="panel wide-panel" aria-label="Blocks">
      <h2>Blocks of the cache</h2>
      <p class="legend">
        A tile a block of {model.block_size} tokens, in the colour of the sequence that holds it and as full as it is.
        <b class="tile outlined" /> shared by several <b class="tile findable" /> free, but a prompt may still find it
      </p>
      <Drawing
        height={rows * side}
        label={`${model.used_blocks} of ${model.num_blocks} blocks in use, ${shared} of them shared, ${model.free_findable_blocks.length} free ones findable`}
        draw={(context, wide) => {
          if (wide !== width) setWidth(wide);
          drawTiles(tiles, context, wide);
        }}
        onPoint={(x, y) => setAt(Math.floor(y / side) * columns + Math.min(columns - 1, Math.floor(x / side)))}
      />
      <p class="detail">{tile ? tileText(at, tile, model.block_size) : `${model.used_blocks} of ${model.num_blocks} blocks in use, ${shared} shared`}</p>
    </section>
  );
}

// --- Requests ---

function Sequences({ title, list, empty }: { title: string; list: SequenceView[]; empty: string }): JSX.Element {
  return (
    <section class="panel" aria-label={title}>
      <h2>{title} <span class="count">{list.length}</span></h2>
      {list.length === 0 && <p class="legend">{empty}</p>}
      {list.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label={`${title}, table`}>
          <table>
            <thead><tr><th>sequence</th><th>prompt</th><th>cached</th><th>answer</th><th>progress</th></tr></thead>
            <tbody>
              {list.slice(0, 100).map((sequence) => (
                <tr key={sequence.id}>
                  <td><b class="swatch" style={{ background: sequenceColour(sequence.id) }} />{sequence.id}</td>
                  <td>{sequence.prompt_tokens}</td>
                  <td>{sequence.cached_tokens}</td>
                  <td>{sequence.tokens - sequence.prompt_tokens}</td>
                  <td>{sequence.computed_tokens < sequence.prompt_tokens ? `prompt ${percent(sequence.computed_tokens / sequence.prompt_tokens)}` : "decoding"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Figures({ model, steps }: { model: ModelView; steps: StepView[] }): JSX.Element {
  const last = steps.slice(-20);
  const spent = last.reduce((sum, step) => sum + step.duration_ms, 0);
  const figures: [string, string][] = [
    ["running", String(model.running.length)],
    ["waiting", String(model.waiting.length)],
    ["cache in use", percent(model.used_blocks / Math.max(1, model.num_blocks))],
    ["a step takes", last.length > 0 ? `${(spent / last.length).toFixed(1)} ms` : "–"],
    ["found in cache", model.lookup_tokens > 0 ? percent(model.hit_tokens / model.lookup_tokens) : "–"],
    ["preemptions", String(model.preemptions)],
    ["evictions", String(model.evictions)],
    ["tokens written", model.generated_tokens.toLocaleString("en")],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

function ModelPanels({ model, steps }: { model: ModelView; steps: StepView[] }): JSX.Element {
  return (
    <>
      <h1 class="model-name">{model.name}</h1>
      {model.num_blocks === 0 && <p class="legend">Unloaded, for nobody has asked for it lately; the next request opens it again.</p>}
      <Figures model={model} steps={steps} />
      <div class="panels">
        <Steps steps={steps} />
        <Blocks model={model} />
        <Sequences title="Running" list={model.running} empty="Nothing runs. Ask something in the chat and watch." />
        <Sequences title="Waiting" list={model.waiting} empty="Nothing waits: there is room for every request." />
      </div>
    </>
  );
}

export function Engine(): JSX.Element {
  const [paused, setPaused] = useState(false);
  const [key, setKey] = useState(0);
  const { state, steps, problem, needsKey } = useEngine(paused, key);
  useEffect(() => {
    document.title = "Engine · Quire";
  }, []);
  return (
    <div class="engine">
      <header>
        <Brand />
        <nav aria-label="Pages"><a href="/">Chat</a><a href="/engine" aria-current="page">Engine</a></nav>
        <ThemeChoice />
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>{paused ? "Go on" : "Pause"}</button>
      </header>
      <main>
        {needsKey && (
          <KeyForm
            wrong={key > 0}
            onKey={(text, remember) => {
              setApiKey(text, remember);
              setKey(key + 1);
            }}
          />
        )}
        {problem && !needsKey && <p class="error" role="alert">{problem}</p>}
        {state?.state === "loading" && <p class="legend">The models are loading.</p>}
        {state?.models.map((model) => <ModelPanels key={model.name} model={model} steps={steps.get(model.name) ?? []} />)}
      </main>
    </div>
  );
}
