/** A record is good for so long: what another replica changes is seen by then. */
export const RECENT_MS = 1_000;
const MAX_RECORDS = 10_000;

/**
 * Records as they were a moment ago, for clients that log one point per call and would have the same ones read each time.
 * What this process has changed, or is changing, is never taken from here.
 */
export interface Recent<T extends { readonly id: string }> {
  get(id: string): T | undefined;
  /** Taken before a record is read, and given to `keep` with it. */
  changes(): number;
  /** Remembers a record, unless this process has changed any since `changes` was taken. */
  keep(record: T, changes: number): void;
  /** The record is being changed; what is returned is called when that is over, however it ended. */
  changing(id: string): () => void;
}

/** None is remembered at first; the clock is a monotonic one. */
export function createRecent<T extends { readonly id: string }>(
  nowMs: () => number = () => performance.now(),
): Recent<T> {
  const records = new Map<string, { readonly record: T; readonly atMs: number }>();
  const underWay = new Map<string, number>();
  let changed = 0;

  function note(id: string, count: number): void {
    changed += 1;
    records.delete(id);
    const left = (underWay.get(id) ?? 0) + count;
    if (left === 0) underWay.delete(id);
    else underWay.set(id, left);
  }

  return {
    get(id) {
      const found = records.get(id);
      return found !== undefined && nowMs() - found.atMs < RECENT_MS ? found.record : undefined;
    },
    changes: () => changed,
    keep(record, changes) {
      if (changes !== changed || underWay.has(record.id)) return;
      records.delete(record.id);
      const [oldest] = records.keys();
      if (records.size >= MAX_RECORDS && oldest !== undefined) records.delete(oldest);
      records.set(record.id, { record, atMs: nowMs() });
    },
    changing(id) {
      note(id, 1);
      return () => note(id, -1);
    },
  };
}
