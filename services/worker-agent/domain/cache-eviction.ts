/** One thing of a cache on disk: a blob, an unpacked bundle. */
export interface CacheEntry {
  readonly path: string;
  readonly bytes: number;
  /** When something last took it. */
  readonly usedAtMs: number;
  /** Deleting it would free nothing, or take it away from who uses it. */
  readonly inUse: boolean;
}

/** What the caches may occupy. */
export interface CacheRoom {
  /** Most bytes of all entries together. */
  readonly limitBytes: number;
  /** Bytes free on the disk. */
  readonly freeBytes: number;
  /** Bytes that shall stay free on the disk for what ranks and attempts write. */
  readonly reserveBytes: number;
}

/**
 * What to delete, the least recently used first, until the caches are within their limit and the disk has its reserve.
 * Entries in use are counted and never chosen, so the limit may be exceeded by what running attempts hold.
 */
export function entriesToEvict(entries: readonly CacheEntry[], room: CacheRoom): CacheEntry[] {
  const occupied = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  let excess = Math.max(occupied - room.limitBytes, room.reserveBytes - room.freeBytes);
  const evicted: CacheEntry[] = [];
  const candidates = entries.filter(({ inUse }) => !inUse).sort((a, b) => a.usedAtMs - b.usedAtMs);
  for (const entry of candidates) {
    if (excess <= 0) break;
    evicted.push(entry);
    excess -= entry.bytes;
  }
  return evicted;
}
