import { randomUUID } from "node:crypto";
import type { IndexSpec, Store } from "@trainyard/store";
import type { Beat } from "../domain/replicas.ts";

/** A replica of this service. Its beat rises while it lives. */
interface MetricWorkerDocument {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly beat: number;
  readonly beatAt: Date;
}

/** What a dead one leaves behind goes so long after its last beat. */
const FORGET_SECONDS = 3_600;

export const metricWorkerIndexes: readonly IndexSpec[] = [
  {
    collection: "metric_workers",
    name: "forgotten",
    key: { beatAt: 1 },
    expireAfterSeconds: FORGET_SECONDS,
  },
];

/** The replicas that share the work on metrics. */
export interface MetricWorkers {
  readonly self: string;
  /** Tells that this one lives, and reads all. */
  beat(): Promise<readonly Beat[]>;
  /** Tells that this one is gone. */
  leave(): Promise<void>;
}

/** The replicas in this database. */
export function createMetricWorkers(store: Store): MetricWorkers {
  const documents = store.collection<MetricWorkerDocument>("metric_workers");
  const self = randomUUID();
  return {
    self,
    async beat() {
      await documents.updateOne(
        { _id: self },
        { $inc: { beat: 1 }, $set: { beatAt: new Date() }, $setOnInsert: { schemaVersion: 1 } },
        { upsert: true, writeConcern: { w: 1 } },
      );
      return (await documents.find().toArray()).map(({ _id, beat }) => ({ id: _id, beat }));
    },
    async leave() {
      await documents.deleteOne({ _id: self });
    },
  };
}
