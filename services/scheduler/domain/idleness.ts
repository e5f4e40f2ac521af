/** Whether a gang that holds slots does anything: makes steps, or uses a processor or a GPU. */
import type { RankReport } from "./attempt.ts";

/** A rank that uses less, of one core and of its GPUs, does no work: a waiting process still runs its timers. */
export const IDLE_BELOW_PERCENT = 5;

/** What is remembered of a gang's doing. */
export interface Idleness {
  readonly progress: number;
  /** When it was last known to work, by a monotonic clock and by the wall clock. */
  readonly idleFromMs: number;
  readonly idleSince: Date;
}

/**
 * The idleness after another look. Ranks that run and do not tell what they use may be working for all that is known; ranks
 * that are not there certainly are not. `heard` is false while a node of the gang is not heard: then nothing is known.
 */
export function idlenessAfter(
  before: Idleness | undefined,
  ranks: readonly RankReport[],
  heard: boolean,
  nowMs: number,
  now: Date,
): Idleness {
  const alive = ranks.filter((rank) => rank.startedAt !== undefined && rank.exit === undefined);
  const progress = ranks.reduce((sum, rank) => sum + rank.lastStep, 0);
  const isIdle =
    heard &&
    progress === before?.progress &&
    alive.every(({ busyPercent }) => busyPercent !== undefined && busyPercent < IDLE_BELOW_PERCENT);
  return isIdle ? before : { progress, idleFromMs: nowMs, idleSince: now };
}
