/**
 * A gang's own pace, and how long it has made no step. Hung collectives raise nothing: what tells is silence, measured against
 * how often this very gang makes steps. The clock counts only time in which a step could have been seen: not before the
 * first step (compilation, loading), not while a rank says that it does something else (evaluation), and not while a node
 * of the gang is not heard.
 */
import type { RankReport } from "./attempt.ts";
import type { HangPolicy } from "./job-spec.ts";

/** Gaps between steps that are remembered. */
const REMEMBERED_GAPS = 64;
/** Gaps that must have been seen before a pace can be spoken of. */
const LEAST_GAPS = 3;
/** By its own pace, a gang is never taken for hung earlier: a false alarm costs a restart. */
export const LEAST_SILENCE_MS = 600_000;
const MEDIAN_TIMES = 30;
const LONGEST_TIMES = 3;
/** A longer time between two looks says nothing about the gang: this process was paused. */
const MAX_LOOK_MS = 5_000;

/** What is remembered of a gang's steps. Times are of one monotonic clock. */
export interface Pace {
  /** Sum over the ranks of what only ever rises: their last steps, and the steps of their checkpoints. */
  readonly progress: number;
  readonly lastStep: number;
  readonly lookedAtMs: number;
  /** Time without progress that counts. */
  readonly silentMs: number;
  /** The newest gaps between two looks that found progress; the first, which may hold a compilation, is left out. */
  readonly gapsMs: readonly number[];
  readonly changes: number;
  readonly firstStep: number;
  readonly firstStepMs: number;
}

/** The pace after another look; `undefined` before the first step. `counts` says whether silence counts now. */
export function paceAfter(
  before: Pace | undefined,
  ranks: readonly RankReport[],
  counts: boolean,
  nowMs: number,
): Pace | undefined {
  const lastStep = ranks.reduce((highest, rank) => Math.max(highest, rank.lastStep), -1);
  if (lastStep < 0) return before;
  const progress = ranks.reduce((sum, rank) => sum + rank.lastStep + (rank.checkpointStep ?? -1), 0);
  if (before === undefined) {
    return {
      progress,
      lastStep,
      lookedAtMs: nowMs,
      silentMs: 0,
      gapsMs: [],
      changes: 0,
      firstStep: lastStep,
      firstStepMs: nowMs,
    };
  }
  const sinceMs = counts ? Math.min(MAX_LOOK_MS, nowMs - before.lookedAtMs) : 0;
  const silentMs = before.silentMs + sinceMs;
  const looked = { ...before, lookedAtMs: nowMs };
  if (progress === before.progress) return { ...looked, silentMs };
  const gapsMs = before.changes === 0 ? [] : [...before.gapsMs, silentMs].slice(-REMEMBERED_GAPS);
  return { ...looked, progress, lastStep, silentMs: 0, gapsMs, changes: before.changes + 1 };
}

/** After how much silence the gang counts as hung; `undefined` when it never does, or its pace is not known yet. */
export function hangLimitMs(pace: Pace, policy: HangPolicy | undefined): number | undefined {
  if (policy?.off === true) return undefined;
  if (policy !== undefined && policy.afterSeconds > 0) return policy.afterSeconds * 1000;
  if (pace.gapsMs.length < LEAST_GAPS) return undefined;
  return Math.max(
    LEAST_SILENCE_MS,
    MEDIAN_TIMES * median(pace.gapsMs),
    LONGEST_TIMES * Math.max(...pace.gapsMs),
  );
}

/** Time that an order may take to reach every rank. */
const ORDER_REACHES_MS = 4_000;
const LEAST_STEPS_AHEAD = 3;

/**
 * A step that no rank has reached when it hears of it, so that all ranks can be asked to do something at the same one; -1
 * when the gang tells no steps.
 */
export function stepAhead(pace: Pace | undefined, nowMs: number): number {
  if (pace === undefined) return -1;
  const elapsedMs = nowMs - pace.firstStepMs;
  const perMs = elapsedMs > 0 ? (pace.lastStep - pace.firstStep) / elapsedMs : 0;
  return pace.lastStep + LEAST_STEPS_AHEAD + Math.ceil(perMs * ORDER_REACHES_MS);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
