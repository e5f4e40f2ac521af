/** What was used last, up to so many bytes in all. */
export interface BytesLru<Value> {
  /** Undefined when it was never kept, or had to make room. */
  get(key: string): Value | undefined;
  /** Keeps it, unless it alone is larger than everything may be. */
  set(key: string, value: Value, sizeBytes: number): void;
  readonly sizeBytes: number;
}

/** Keeps values that never change under their key, and forgets those used longest ago when they become too many bytes. */
export function createBytesLru<Value>(maxBytes: number): BytesLru<Value> {
  // A Map goes in order of insertion, so the first is the one used longest ago.
  const kept = new Map<string, { readonly value: Value; readonly sizeBytes: number }>();
  let total = 0;

  function forget(key: string): void {
    total -= kept.get(key)?.sizeBytes ?? 0;
    kept.delete(key);
  }

  return {
    get(key) {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      kept.delete(key);
      kept.set(key, found);
      return found.value;
    },
    set(key, value, sizeBytes) {
      forget(key);
      if (sizeBytes > maxBytes) return;
      kept.set(key, { value, sizeBytes });
      total += sizeBytes;
      for (const oldest of kept.keys()) {
        if (total <= maxBytes) break;
        forget(oldest);
      }
    },
    get sizeBytes() {
      return total;
    },
  };
}
