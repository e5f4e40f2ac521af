import { collections, type OutboxRow } from "./schema.ts";
import type { Store } from "./store.ts";

/** What a publish of a row came to. */
export interface PublishedAs {
  readonly row: OutboxRow;
  readonly streamSequence: number;
}

/**
 * The oldest unpublished rows, grouped by aggregate, each group in the order to publish. Read at one point in time:
 * a plain scan could miss an aggregate's version 2 that commits behind it and still see version 3. Rows are found by
 * state and never by "id above the last one", since transactions do not commit in the order of their ids.
 */
export async function unpublishedGroups(
  store: Store,
  limit: number,
): Promise<readonly (readonly OutboxRow[])[]> {
  const rows = store.collection<OutboxRow>(collections.outbox);
  const snapshot = { readConcern: { level: "snapshot" } } as const;
  let batch = await rows.find({ state: "unpublished" }, snapshot).sort({ _id: 1 }).limit(limit).toArray();
  if (batch.length === limit) {
    // The limit may have cut an older version off whose id is younger: take the named aggregates whole.
    const aggregates = [...new Set(batch.map((row) => row.aggregate))];
    batch = await rows.find({ state: "unpublished", aggregate: { $in: aggregates } }, snapshot).toArray();
  }
  const groups = new Map<string, OutboxRow[]>();
  for (const row of batch) {
    const group = groups.get(row.aggregate);
    if (group === undefined) groups.set(row.aggregate, [row]);
    else group.push(row);
  }
  return [...groups.values()].map((group) =>
    group.sort((a, b) => a.aggregateVersion - b.aggregateVersion || a.order - b.order),
  );
}

/** Records that rows are in the stream. A row that another relay has marked meanwhile stays as that one wrote it. */
export async function markPublished(
  store: Store,
  published: readonly PublishedAs[],
  streamCreated: string,
): Promise<void> {
  if (published.length === 0) return;
  const publishedAt = new Date();
  await store.collection<OutboxRow>(collections.outbox).bulkWrite(
    published.map(({ row, streamSequence }) => ({
      updateOne: {
        filter: { _id: row._id, state: "unpublished" },
        update: { $set: { state: "published", publishedAt, streamSequence, streamCreated } },
      },
    })),
    { ordered: false },
  );
}

/** Where the aggregate's newest recorded event is in the stream; 0 when none is recorded. */
export async function recordedHead(store: Store, aggregate: string): Promise<number> {
  const newest = await store
    .collection<OutboxRow>(collections.outbox)
    .find({ aggregate, streamSequence: { $gt: 0 } })
    .sort({ streamSequence: -1 })
    .limit(1)
    .next();
  return newest?.streamSequence ?? 0;
}

/** Has rows published again that the stream has lost: those beyond its end, and those of a stream that is gone. */
export async function republishLost(
  store: Store,
  stream: { created: string; lastSequence: number },
): Promise<number> {
  return republish(store, {
    $or: [{ streamSequence: { $gt: stream.lastSequence } }, { streamCreated: { $ne: stream.created } }],
  });
}

/** Has rows published again that were recorded before `before` at or beyond a sequence that was since given anew. */
export async function republishFrom(store: Store, sequence: number, before: Date): Promise<number> {
  return republish(store, { streamSequence: { $gte: sequence }, publishedAt: { $lt: before } });
}

async function republish(store: Store, which: Readonly<Record<string, unknown>>): Promise<number> {
  const { modifiedCount } = await store
    .collection<OutboxRow>(collections.outbox)
    .updateMany(
      { ...which, state: "published" },
      { $set: { state: "unpublished" }, $unset: { publishedAt: "", streamSequence: "", streamCreated: "" } },
    );
  return modifiedCount;
}
