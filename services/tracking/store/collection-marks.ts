import type { Store } from "@trainyard/store";
import type { CollectionMark } from "../domain/collection-schedule.ts";

/** The platform's collections: one document, of no project. */
interface CollectionDocument extends CollectionMark {
  readonly _id: "garbage";
  readonly schemaVersion: 1;
  /** Collections that ended. */
  readonly count: number;
}

/** When it was last collected on schedule. */
export interface CollectionMarks {
  /** The mark; with the first question it is made, as if a collection had ended just now. */
  read(now: Date): Promise<CollectionMark>;
  began(now: Date): Promise<void>;
  ended(now: Date): Promise<void>;
}

/** The mark in this database. */
export function createCollectionMarks(store: Store): CollectionMarks {
  const documents = store.collection<CollectionDocument>("garbage_collections");
  const _id = "garbage" as const;
  return {
    async read(now) {
      const first = { schemaVersion: 1 as const, beganAt: now, endedAt: now, count: 0 };
      const options = { upsert: true, returnDocument: "after" } as const;
      const found = await documents.findOneAndUpdate({ _id }, { $setOnInsert: first }, options);
      return found ?? first;
    },
    async began(now) {
      await documents.updateOne({ _id }, { $set: { beganAt: now } });
    },
    async ended(now) {
      await documents.updateOne({ _id }, { $set: { endedAt: now }, $inc: { count: 1 } });
    },
  };
}
