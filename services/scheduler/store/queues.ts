import type { IndexSpec, Store } from "@trainyard/store";

const COLLECTION = "queues";
/** The queue of whoever names none. */
export const DEFAULT_QUEUE = "default";

/** The indexes of the queues. */
export const queueIndexes: readonly IndexSpec[] = [
  { collection: COLLECTION, name: "by_name", key: { name: 1 }, unique: true },
];

interface QueueDocument {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly name: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly version: number;
}

/** The queues: their only reader and writer. */
export interface Queues {
  /** Makes the default queue exist. */
  ensureDefault(now: Date): Promise<void>;
  exists(name: string): Promise<boolean>;
  /** By name. */
  names(): Promise<readonly string[]>;
}

/** The queues in this store. Their id is their name, as no event speaks of them. */
export function createQueues(store: Store): Queues {
  const rows = store.collection<QueueDocument>(COLLECTION);
  return {
    async ensureDefault(now) {
      const fresh = {
        schemaVersion: 1,
        name: DEFAULT_QUEUE,
        createdBy: "service:scheduler",
        createdAt: now,
        version: 1,
      } as const;
      await rows.updateOne({ _id: DEFAULT_QUEUE }, { $setOnInsert: fresh }, { upsert: true });
    },
    async exists(name) {
      return (await rows.countDocuments({ _id: name }, { limit: 1 })) > 0;
    },
    async names() {
      return (await rows.find().sort({ _id: 1 }).toArray()).map(({ name }) => name);
    },
  };
}
