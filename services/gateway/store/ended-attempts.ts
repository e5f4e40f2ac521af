import type { IndexSpec, Store, Tx } from "@trainyard/store";

interface EndedAttemptDocument {
  /** `<run>/<attempt>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly endedAt: Date;
}

const COLLECTION = "ended_attempts";

/** Longer than a rank's token is valid by itself, after which nobody asks. */
const KEPT_SECONDS = 14 * 24 * 60 * 60;

export const endedAttemptIndexes: readonly IndexSpec[] = [
  { collection: COLLECTION, key: { endedAt: 1 }, name: "retention", expireAfterSeconds: KEPT_SECONDS },
];

/** Attempts whose ranks' tokens are no longer good. */
export interface EndedAttempts {
  has(run: string, attempt: number): Promise<boolean>;
  add(run: string, attempt: number, endedAt: Date, tx: Tx): Promise<void>;
}

export function createEndedAttempts(store: Store): EndedAttempts {
  const ended = store.collection<EndedAttemptDocument>(COLLECTION);
  const idOf = (run: string, attempt: number) => `${run}/${attempt}`;
  return {
    async has(run, attempt) {
      return (await ended.findOne({ _id: idOf(run, attempt) })) !== null;
    },
    async add(run, attempt, endedAt, tx) {
      await ended.updateOne(
        { _id: idOf(run, attempt) },
        { $setOnInsert: { schemaVersion: 1, endedAt } },
        { upsert: true, session: tx.session },
      );
    },
  };
}
