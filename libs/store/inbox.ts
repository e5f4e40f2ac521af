import { isDuplicateKey, RetryTransaction } from "./errors.ts";
import { collections, type InboxRow, type InboxVersionRow } from "./schema.ts";
import type { Tx } from "./store.ts";

/** Ends a transaction whose event must take no effect: it did before, or a newer one did. */
export class NoEffect extends Error {
  override readonly name = "NoEffect";
}

/**
 * Records the event as taken by this consumer. Throws NoEffect when it was before. It writes without looking first,
 * since nearly every event is new, and since a duplicate key names a committed row (one that is being written gives a
 * write conflict instead).
 */
export async function recordInInbox(tx: Tx, consumer: string, eventId: string): Promise<void> {
  const row: InboxRow = { _id: `${consumer}/${eventId}`, schemaVersion: 1, handledAt: new Date() };
  try {
    await tx.store.collection<InboxRow>(collections.inbox).insertOne(row, { session: tx.session });
  } catch (error) {
    throw isDuplicateKey(error) ? new NoEffect("the event has taken effect before") : error;
  }
}

/**
 * Records that this consumer has the aggregate at `version`. Throws NoEffect when it has a newer one, so that the event
 * is old news. Equal versions pass: one change may emit several events.
 */
export async function advanceVersion(
  tx: Tx,
  consumer: string,
  aggregate: string,
  version: number,
): Promise<void> {
  const rows = tx.store.collection<InboxVersionRow>(collections.inboxVersions);
  const _id = `${consumer}/${aggregate}`;
  try {
    await rows.updateOne(
      { _id, version: { $lte: version } },
      { $set: { version, handledAt: new Date() }, $setOnInsert: { schemaVersion: 1 } },
      { upsert: true, session: tx.session },
    );
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    // Either the row has a newer version, or another event has just made it, unseen by this snapshot.
    const known = await rows.findOne({ _id });
    throw known !== null && known.version > version
      ? new NoEffect("a newer version has taken effect before")
      : new RetryTransaction("the aggregate's row is new", { cause: error });
  }
}
