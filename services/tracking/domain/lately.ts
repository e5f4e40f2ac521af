/** Which ids were noted within the last moment, and since when. */
export interface Lately {
  /** Returns for how many milliseconds the id has been known without a lapse: 0 for one that was not. */
  note(id: string): number;
  has(id: string): boolean;
}

/** Remembers each for `forMs`, by a monotonic clock, and forgets it then. */
export function createLately(forMs: number, nowMs: () => number = () => performance.now()): Lately {
  /** The one noted longest ago stands first. */
  const noted = new Map<string, { readonly sinceMs: number; readonly atMs: number }>();

  function known(id: string, now: number) {
    const found = noted.get(id);
    return found !== undefined && now - found.atMs < forMs ? found : undefined;
  }

  return {
    note(id) {
      const now = nowMs();
      const sinceMs = known(id, now)?.sinceMs ?? now;
      noted.delete(id);
      for (const [old, { atMs }] of noted) {
        if (now - atMs < forMs) break;
        noted.delete(old);
      }
      noted.set(id, { sinceMs, atMs: now });
      return now - sinceMs;
    },
    has: (id) => known(id, nowMs()) !== undefined,
  };
}
