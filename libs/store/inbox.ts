import { isDuplicateKey, RetryTransaction } from "./errors.ts";
import { collections, type InboxRow, type InboxVersionRow } from "./schema.ts";
import type { Tx } from "./store.ts";

/** Records the event as taken by this consumer; false when it was before, and must take no effect again. */
export async function recordInInbox(tx: Tx, consumer: string, eventId: string): Promise<boolean> {
  const rows = tx.store.collection<InboxRow>(collections.inbox);
  const _id = `${consumer}/${eventId}`;
  if ((await rows.findOne({ _id }, { session: tx.session })) !== null) return false;
  await insertOrRetry(() =>
    rows.insertOne({ _id, schemaVersion: 1, handledAt: new Date() }, { session: tx.session }),
  );
  return true;
}

/**
 * Records that this consumer has the aggregate at `version`; false when it has a newer one, so that the event is old
 * news. Equal versions pass: one change may emit several events.
 */
export async function advanceVersion(
  tx: Tx,
  consumer: string,
  aggregate: string,
  version: number,
): Promise<boolean> {
  const rows = tx.store.collection<InboxVersionRow>(collections.inboxVersions);
  const _id = `${consumer}/${aggregate}`;
  const known = await rows.findOne({ _id }, { session: tx.session });
  if (known !== null && known.version > version) return false;
  const handledAt = new Date();
  if (known !== null) {
    await rows.updateOne({ _id }, { $set: { version, handledAt } }, { session: tx.session });
  } else {
    await insertOrRetry(() =>
      rows.insertOne({ _id, schemaVersion: 1, version, handledAt }, { session: tx.session }),
    );
  }
  return true;
}

async function insertOrRetry(insert: () => Promise<unknown>): Promise<void> {
  try {
    await insert();
  } catch (error) {
    if (isDuplicateKey(error)) throw new RetryTransaction("the same event is being taken", { cause: error });
    throw error;
  }
}
