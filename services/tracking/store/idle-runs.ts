import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Document } from "mongodb";
import { openStatuses } from "../domain/run-status.ts";

/** When tracking last looked for idle runs. One document. */
interface WatchDocument {
  readonly _id: "idle runs";
  readonly schemaVersion: 1;
  readonly lookedAt: Date;
}

export const idleRunIndexes: readonly IndexSpec[] = [
  {
    collection: "runs",
    name: "open_outside",
    key: { seenAt: 1 },
    partialFilterExpression: { jobId: "", status: { $in: [...openStatuses] } },
  },
];

/**
 * Outside runs that are silent for longer than they may be. All times are the database's: those of several machines are
 * never compared.
 */
export interface IdleRuns {
  /**
   * Takes down that somebody looks, and gives back to every open outside run the time since the last look as far as it was
   * longer than `maxGapMs`: nobody could hear a sign of life then. Returns what was given back, in milliseconds.
   */
  look(tx: Tx, maxGapMs: number): Promise<number>;
  /** Some that are overdue, those first that are silent for longest. */
  overdue(limit: number): Promise<string[]>;
  /** Whether it is overdue still, as this transaction sees it. */
  isOverdue(tx: Tx, runId: string): Promise<boolean>;
}

const open = { jobId: "", status: { $in: [...openStatuses] } } as const;
const overdue = { $expr: { $lt: [{ $add: ["$seenAt", "$idleLimitMs"] }, "$$NOW"] } } as const;

/** The idle runs in this database. */
export function createIdleRuns(store: Store): IdleRuns {
  const watch = store.collection<WatchDocument>("run_watch");
  const runs = store.collection<Document & { _id: string }>("runs");
  return {
    async look(tx, maxGapMs) {
      const { session } = tx;
      const before = await watch.findOne({ _id: "idle runs" }, { session });
      const after = await watch.findOneAndUpdate(
        { _id: "idle runs" },
        [{ $set: { schemaVersion: 1, lookedAt: "$$NOW" } }],
        { upsert: true, returnDocument: "after", session },
      );
      if (before === null || after === null) return 0;
      const gapMs = after.lookedAt.getTime() - before.lookedAt.getTime();
      if (gapMs <= maxGapMs) return 0;
      await runs.updateMany(open, [{ $set: { seenAt: { $min: [{ $add: ["$seenAt", gapMs] }, "$$NOW"] } } }], {
        session,
      });
      return gapMs;
    },
    async overdue(limit) {
      const found = runs.find({ ...open, ...overdue }, { projection: { _id: 1 } });
      return (await found.sort({ seenAt: 1 }).limit(limit).toArray()).map(({ _id }) => _id);
    },
    async isOverdue(tx, runId) {
      const filter = { _id: runId, ...open, ...overdue };
      return (await runs.findOne(filter, { projection: { _id: 1 }, session: tx.session })) !== null;
    },
  };
}
