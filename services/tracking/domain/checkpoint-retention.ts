import type { Checkpoint } from "./checkpoint.ts";

/** Which committed checkpoints a run keeps. */
export interface CheckpointsKept {
  /** The newest so many. */
  readonly newest: number;
  /** Beside them the best so many by a metric. */
  readonly best?: { readonly metric: string; readonly mode: "min" | "max"; readonly keep: number };
}

/**
 * The committed checkpoints that may go: all but the newest and the best, and never one that something refers to: a run
 * that starts from it, or the current attempt, since its agents may still be fetching it.
 */
export function checkpointsToPrune(
  checkpoints: readonly Checkpoint[],
  kept: CheckpointsKept,
  resumedFromId: string | undefined,
): readonly Checkpoint[] {
  const committed = checkpoints
    .filter(({ state }) => state === "committed")
    .sort((a, b) => b.step - a.step || b.attempt - a.attempt);
  const best = new Set(bestOf(committed, kept.best));
  return committed
    .slice(kept.newest)
    .filter((checkpoint) => !best.has(checkpoint))
    .filter(({ id, heldBy }) => id !== resumedFromId && (heldBy ?? []).length === 0);
}

/** The best by the metric; of equal ones the newer. Those that do not tell it are never the best. */
function bestOf(newestFirst: readonly Checkpoint[], best: CheckpointsKept["best"]): readonly Checkpoint[] {
  if (best === undefined) return [];
  const sign = best.mode === "min" ? 1 : -1;
  return newestFirst
    .flatMap((checkpoint) => {
      const value = checkpoint.metrics.find(({ key }) => key === best.metric)?.value;
      return value === undefined || Number.isNaN(value) ? [] : [{ checkpoint, value: value * sign }];
    })
    .sort((a, b) => a.value - b.value)
    .slice(0, best.keep)
    .map(({ checkpoint }) => checkpoint);
}
