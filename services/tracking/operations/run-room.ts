import type { Tx } from "@trainyard/store";
import { limitExceeded } from "../domain/errors.ts";
import { roomAfterCount } from "../domain/run-room.ts";
import type { Runs } from "../store/runs.ts";

/** Whether an experiment may have one more run. */
export interface RunRoom {
  /** Throws LIMIT_EXCEEDED. */
  take(tx: Tx, experimentId: string): Promise<void>;
}

/**
 * Counting a million runs takes a good part of a second, so they are counted once for very many new ones: the fewer, the nearer
 * the limit is. Calls that overtake each other at the limit may be a few too many together, which does no harm.
 */
export function createRunRoom(runs: Pick<Runs, "count">, maximum: number): RunRoom {
  const left = new Map<string, number>();
  return {
    async take(tx, experimentId) {
      const known = left.get(experimentId) ?? 0;
      if (known > 0) {
        left.set(experimentId, known - 1);
        return;
      }
      const count = await runs.count(experimentId, maximum, tx);
      if (count >= maximum) {
        const named = "MAX_RUNS_PER_EXPERIMENT";
        throw limitExceeded("experiment", named, maximum, count + 1, "runs in an experiment", "stored");
      }
      // Others have counted meanwhile; who counted later knows better.
      const counted = roomAfterCount(count, maximum);
      left.set(experimentId, Math.min(counted, left.get(experimentId) || counted));
    },
  };
}
