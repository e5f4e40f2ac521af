/** What a source says next: an item, or that for now it has no more (any later item is new). */
export type Step<T> =
  | { readonly kind: "item"; readonly at: number; readonly value: T }
  | { readonly kind: "idle" };

interface Source<T> {
  readonly iterator: AsyncIterator<Step<T>>;
  head: (Step<T> & { readonly kind: "item" }) | undefined;
  waiting: Promise<void> | undefined;
  idle: boolean;
  ended: boolean;
  /** What it failed with; thrown on when the merge next looks. */
  failure: { readonly error: unknown } | undefined;
}

/**
 * Merges sources that are each in order into one, oldest first. A source that still has something is waited for, so
 * history comes out in order whatever the speed of each; one that is idle holds up nobody. Ends when all have ended.
 */
export async function* mergeByTime<T>(streams: readonly AsyncIterable<Step<T>>[]): AsyncGenerator<T> {
  const sources: Source<T>[] = streams.map((stream) => ({
    iterator: stream[Symbol.asyncIterator](),
    head: undefined,
    waiting: undefined,
    idle: false,
    ended: false,
    failure: undefined,
  }));
  try {
    for (;;) {
      for (const { failure } of sources) if (failure !== undefined) throw failure.error;
      const empty = sources.filter((source) => source.head === undefined && !source.ended);
      for (const source of empty) source.waiting ??= advance(source);
      const heads = sources.flatMap(({ head }) => (head === undefined ? [] : [head]));
      if (empty.length === 0 && heads.length === 0) return;
      if (heads.length === 0 || empty.some((source) => !source.idle)) {
        await Promise.race(empty.map(({ waiting }) => waiting));
        continue;
      }
      const oldest = heads.reduce((a, b) => (b.at < a.at ? b : a));
      for (const source of sources) if (source.head === oldest) source.head = undefined;
      yield oldest.value;
    }
  } finally {
    for (const { iterator, ended } of sources) if (!ended) void iterator.return?.()?.catch(() => undefined);
  }
}

/** Never rejects: nobody may be waiting when a source fails. */
async function advance<T>(source: Source<T>): Promise<void> {
  try {
    const next = await source.iterator.next();
    if (next.done === true) source.ended = true;
    else if (next.value.kind === "idle") source.idle = true;
    else {
      source.head = next.value;
      source.idle = false;
    }
  } catch (error) {
    source.ended = true;
    source.failure = { error };
  }
  source.waiting = undefined;
}
