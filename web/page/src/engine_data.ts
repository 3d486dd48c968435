// What /debug/engine says, and what can be told from it. Numbers only; the server sends no text of a prompt.
import { request } from "./api";

export interface SequenceView {
  id: number;
  request: number;
  sample: number;
  priority: number;
  prompt_tokens: number;
  tokens: number;
  computed_tokens: number;
  cached_tokens: number;
  blocks: number[];
}

export interface StepView {
  number: number;
  start_ms: number;
  duration_ms: number;
  hit_tokens: number;
  sequences: [id: number, past: number, fresh: number, drafts: number][];
  preempted: number[];
}

export interface ModelView {
  name: string;
  block_size: number;
  num_blocks: number;
  used_blocks: number;
  free_findable_blocks: number[];
  steps_done: number;
  prompt_tokens: number;
  generated_tokens: number;
  preemptions: number;
  lookup_tokens: number;
  hit_tokens: number;
  evictions: number;
  running: SequenceView[];
  waiting: SequenceView[];
  steps: StepView[];
}

export interface EngineState {
  state: string; // loading, ready or stopping
  models: ModelView[];
}

export async function fetchState(since: number): Promise<EngineState> {
  const response = await request(`/debug/engine?since=${since}`);
  return (await response.json()) as EngineState;
}

// A sequence keeps its colour for as long as it lives; neighbours differ much.
export const hueOf = (sequence: number): number => Math.round((sequence * 137.508) % 360);

export type TileKind = "blank" | "findable" | "own" | "shared";
export interface Tile {
  kind: TileKind;
  sequence: number; // of the first that holds it
  holders: number[];
  filled: number; // 0 to 1: of its places
}

// Each block of the cache: who holds it, and how full it is.
export function tilesOf(model: ModelView): Tile[] {
  const tiles: Tile[] = Array.from({ length: model.num_blocks }, () => ({ kind: "blank", sequence: 0, holders: [], filled: 0 }));
  for (const block of model.free_findable_blocks) Object.assign(tiles[block] ?? {}, { kind: "findable", filled: 1 });
  for (const sequence of model.running) {
    sequence.blocks.forEach((block, index) => {
      const tile = tiles[block];
      if (tile === undefined) return;
      tile.holders.push(sequence.id);
      tile.kind = tile.holders.length > 1 ? "shared" : "own";
      tile.sequence ||= sequence.id;
      const filled = (sequence.computed_tokens - index * model.block_size) / model.block_size;
      tile.filled = Math.max(tile.filled, Math.min(1, Math.max(0, filled)));
    });
  }
  return tiles;
}
