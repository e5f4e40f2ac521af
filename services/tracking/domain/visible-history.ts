import { isAlwaysHistory } from "./telemetry-source.ts";

/**
 * Which of a run's records are its history.
 *
 * A run is computed by attempts, one after another. Each begins where a checkpoint of an earlier one was taken, and
 * computes again what that one had computed after it. The history of the run, without anything twice and without a
 * hole, is therefore: the newest attempt wholly; before it, of the attempt whose checkpoint it resumed from, the records
 * that each rank had written when it took that snapshot; and so on. Attempts that nobody resumed from are hidden.
 *
 * Only recorded offsets decide, never the time of arrival: a record of the prefix that arrives a day late belongs to the
 * history, and one after the snapshot never does.
 */

/** Where an attempt began: which checkpoint, and how far each rank's record file reached in it. */
export interface ResumePoint {
  readonly checkpointId: string;
  /** The attempt that wrote the checkpoint; always an earlier one. */
  readonly attempt: number;
  readonly step: number;
  readonly offsets: readonly RankOffset[];
}

/** End of what one rank's record file held at a snapshot. */
export interface RankOffset {
  readonly rank: number;
  readonly offset: number;
}

/** An attempt, as far as history goes. */
export interface AttemptOrigin {
  readonly number: number;
  /** Absent when it began at step 0. */
  readonly resumedFrom?: ResumePoint;
}

/** How much of one attempt is visible: everything, or up to an offset per rank (nothing of ranks not named). */
export type Visibility =
  | { readonly kind: "whole" }
  | { readonly kind: "prefix"; readonly offsets: readonly RankOffset[] };

/** The visible attempts; whatever is not a key is hidden. */
export type VisibleHistory = ReadonlyMap<number, Visibility>;

/** The history of a run with these attempts, in any order. */
export function visibleHistory(attempts: readonly AttemptOrigin[]): VisibleHistory {
  const byNumber = new Map(attempts.map((attempt) => [attempt.number, attempt]));
  const visible = new Map<number, Visibility>();
  let current = byNumber.get(Math.max(...byNumber.keys()));
  let visibility: Visibility = { kind: "whole" };
  while (current !== undefined) {
    visible.set(current.number, visibility);
    const origin: ResumePoint | undefined = current.resumedFrom;
    if (origin === undefined || origin.attempt >= current.number) break;
    visibility = { kind: "prefix", offsets: origin.offsets };
    current = byNumber.get(origin.attempt);
  }
  return visible;
}

/** Records of this rank that start before the returned offset are history; what calls logged and nodes measured always is. */
export function visibleEnd(history: VisibleHistory, attempt: number, rank: number): number {
  if (isAlwaysHistory(rank)) return Number.POSITIVE_INFINITY;
  const visibility = history.get(attempt);
  if (visibility === undefined) return 0;
  switch (visibility.kind) {
    case "whole":
      return Number.POSITIVE_INFINITY;
    case "prefix":
      return visibility.offsets.find((offset) => offset.rank === rank)?.offset ?? 0;
  }
}
