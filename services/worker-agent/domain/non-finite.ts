import type { RankRecord } from "./rank-record.ts";

/** The point that halted a run. */
export interface NonFinite {
  readonly key: string;
  readonly step: number;
  readonly rank: number;
  readonly value: number;
}

/** The first watched point of a record that is NaN or infinite. */
export function nonFiniteIn(
  watched: ReadonlySet<string>,
  rank: number,
  step: bigint,
  points: readonly { readonly key: string; readonly value: number }[],
): NonFinite | undefined {
  if (watched.size === 0) return undefined;
  const found = points.find(({ key, value }) => watched.has(key) && !Number.isFinite(value));
  return found === undefined ? undefined : { key: found.key, value: found.value, rank, step: Number(step) };
}

/** The earlier of two, so that the order in which ranks' files are read does not matter. */
export function earlier(a: NonFinite | undefined, b: NonFinite): NonFinite {
  return a !== undefined && (a.step < b.step || (a.step === b.step && a.rank <= b.rank)) ? a : b;
}

/** Whether a record holds what the bad point has spoilt: a checkpoint of its step or later, or a model. */
export function isSpoilt(record: RankRecord, halted: NonFinite | undefined): boolean {
  if (halted === undefined) return false;
  if (record.kind === "model") return true;
  return record.kind === "checkpoint" && record.step >= halted.step;
}
