import type { Checkpoint } from "./checkpoint.ts";

/**
 * The committed checkpoints that may go: all but the newest `keep`, and never the one that the current attempt resumed
 * from, since its agents may still be fetching it.
 */
export function checkpointsToPrune(
  checkpoints: readonly Checkpoint[],
  keep: number,
  resumedFromId: string | undefined,
): readonly Checkpoint[] {
  return checkpoints
    .filter(({ state }) => state === "committed")
    .sort((a, b) => b.step - a.step || b.attempt - a.attempt)
    .slice(keep)
    .filter(({ id }) => id !== resumedFromId);
}
