import { randomUUID } from "node:crypto";
import type { IndexSpec, Store } from "@trainyard/store";

/** A replica that works up metrics. Its beat rises while it lives. */
interface MetricWorkerDocument {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly beat: number;
  readonly beatAt: Date;
}

/** How often a worker tells that it lives, and how long an unchanged beat counts. */
export const BEAT_MS = 2_000;
export const SILENT_MS = 6_000;
/** What a dead worker leaves behind goes so long after its last beat. */
const FORGET_SECONDS = 3_600;

export const metricWorkerIndexes: readonly IndexSpec[] = [
  {
    collection: "metric_workers",
    name: "forgotten",
    key: { beatAt: 1 },
    expireAfterSeconds: FORGET_SECONDS,
  },
];

/** The replicas that share the work, as one of them sees it. */
export interface MetricWorkers {
  readonly self: string;
  /** Tells that this one lives, and returns those that do, itself among them. Times are this process's monotonic clock's. */
  beat(nowMs: number): Promise<readonly string[]>;
  /** Tells that this one is gone. */
  leave(): Promise<void>;
}

/**
 * Who is there, by beats. That two disagree for a moment does no harm: what they do for a run is a transaction, of which
 * one wins; sharing only spares double work.
 */
export function createMetricWorkers(store: Store): MetricWorkers {
  const documents = store.collection<MetricWorkerDocument>("metric_workers");
  const self = randomUUID();
  const seen = new Map<string, { readonly beat: number; readonly changedMs: number }>();
  return {
    self,
    async beat(nowMs) {
      await documents.updateOne(
        { _id: self },
        { $inc: { beat: 1 }, $set: { beatAt: new Date() }, $setOnInsert: { schemaVersion: 1 } },
        { upsert: true, writeConcern: { w: 1 } },
      );
      const rows = await documents.find().toArray();
      for (const { _id, beat } of rows) {
        if (seen.get(_id)?.beat !== beat) seen.set(_id, { beat, changedMs: nowMs });
      }
      const there = new Set(rows.map(({ _id }) => _id));
      for (const id of seen.keys()) if (!there.has(id)) seen.delete(id);
      return [...seen].filter(([, { changedMs }]) => nowMs - changedMs < SILENT_MS).map(([id]) => id);
    },
    async leave() {
      await documents.deleteOne({ _id: self });
    },
  };
}
