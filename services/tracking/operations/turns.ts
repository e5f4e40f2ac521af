import { setTimeout as delay } from "node:timers/promises";

/** Lets the calls that change the same thing through one after the other. */
export interface Turns {
  /** Runs `change` when those before it have ended, or have taken too long. */
  take<T>(of: string, change: () => Promise<T>): Promise<T>;
}

const PATIENCE_MS = 5_000;

/**
 * Transactions that change one document at once run again and again, all but the first; of many, some for so long that they
 * give up. In turn, each runs once. Only within this process: between replicas, and when a turn takes too long, the
 * database still decides who was first.
 */
export function createTurns(patienceMs = PATIENCE_MS): Turns {
  const last = new Map<string, Promise<void>>();
  return {
    async take(of, change) {
      const before = last.get(of);
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      last.set(of, ended);
      try {
        if (before !== undefined) await atMost(patienceMs, before);
        return await change();
      } finally {
        end();
        if (last.get(of) === ended) last.delete(of);
      }
    },
  };
}

async function atMost(ms: number, ended: Promise<void>): Promise<void> {
  const over = new AbortController();
  const patience = delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([ended, patience]);
  over.abort();
}
