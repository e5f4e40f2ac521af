import { isOutside, type RunRecord } from "../domain/run-record.ts";

/** A record is good for so long: what another replica changes is seen by then. */
export const RECENT_MS = 1_000;
const MAX_RUNS = 10_000;

/**
 * Outside runs as they were a moment ago, for clients that log one point per call and would have the same record read each
 * time. What this process has changed, or is changing, is never taken from here.
 */
export interface RecentRuns {
  get(id: string): RunRecord | undefined;
  /** Taken before a record is read, and given to `keep` with it. */
  changes(): number;
  /** Remembers a record, unless this process has changed any since `changes` was taken. */
  keep(run: RunRecord, changes: number): void;
  /** The run is being changed; what is returned is called when that is over, however it ended. */
  changing(id: string): () => void;
}

/** None is remembered at first; the clock is a monotonic one. */
export function createRecentRuns(nowMs: () => number = () => performance.now()): RecentRuns {
  const runs = new Map<string, { readonly run: RunRecord; readonly atMs: number }>();
  const underWay = new Map<string, number>();
  let changed = 0;

  function note(id: string, count: number): void {
    changed += 1;
    runs.delete(id);
    const left = (underWay.get(id) ?? 0) + count;
    if (left === 0) underWay.delete(id);
    else underWay.set(id, left);
  }

  return {
    get(id) {
      const found = runs.get(id);
      return found !== undefined && nowMs() - found.atMs < RECENT_MS ? found.run : undefined;
    },
    changes: () => changed,
    keep(run, changes) {
      if (!isOutside(run) || changes !== changed || underWay.has(run.id)) return;
      runs.delete(run.id);
      const [oldest] = runs.keys();
      if (runs.size >= MAX_RUNS && oldest !== undefined) runs.delete(oldest);
      runs.set(run.id, { run, atMs: nowMs() });
    },
    changing(id) {
      note(id, 1);
      return () => note(id, -1);
    },
  };
}
