import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { type Scope, within } from "./session.ts";

/**
 * How far a run's metrics have been worked up. Batches are stored as they come; later they are folded into the run's
 * summaries (metric-summaries.ts), and after that packed into chunks (metric-chunks.ts). Summaries are of the history as
 * the attempt `attempt` sees it: when another attempt opens they are made anew.
 */
export interface MetricState {
  readonly runId: string;
  readonly project: string;
  readonly experimentId: string;
  readonly attempt: number;
  /** Whether the summaries shall be made anew although nothing was stored. */
  readonly stale: boolean;
  /** Batches and points that are folded and not packed yet. */
  readonly looseBatches: number;
  readonly loosePoints: number;
  /** Points in chunks that are not full. */
  readonly openPoints: number;
  readonly updatedAt: Date;
}

interface MetricStateDocument extends Omit<MetricState, "runId"> {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly createdBy: "fold";
}

export const metricStateIndexes: readonly IndexSpec[] = [
  {
    collection: "metric_states",
    name: "stale",
    key: { stale: 1 },
    partialFilterExpression: { stale: true },
  },
  {
    collection: "metric_states",
    name: "loose",
    key: { looseBatches: 1 },
    partialFilterExpression: { looseBatches: { $gt: 0 } },
  },
];

/** The states of runs' metrics: the only place that reads and writes them. */
export interface MetricStates {
  find(runId: string, scope?: Scope): Promise<MetricState | undefined>;
  /** Runs whose summaries shall be made anew. */
  stale(limit: number): Promise<string[]>;
  /** Runs with batches that are folded and not packed. */
  loose(limit: number): Promise<MetricState[]>;
  save(tx: Tx, state: MetricState): Promise<void>;
  /** Counts what was packed. */
  packed(
    tx: Tx,
    runId: string,
    change: { readonly batches: number; readonly points: number; readonly openPoints: number },
  ): Promise<void>;
  /** Has the summaries made anew, if there are any; for whoever changes what they follow from besides the points. */
  markStale(tx: Tx, runId: string): Promise<void>;
}

/** The states in this database. */
export function createMetricStates(store: Store): MetricStates {
  const documents = store.collection<MetricStateDocument>("metric_states");
  return {
    async find(runId, scope) {
      const found = await documents.findOne({ _id: runId }, within(scope));
      return found === null ? undefined : stateOf(found);
    },
    async stale(limit) {
      const found = await documents
        .find({ stale: true }, { projection: { _id: 1 } })
        .limit(limit)
        .toArray();
      return found.map(({ _id }) => _id);
    },
    async loose(limit) {
      const found = await documents
        .find({ looseBatches: { $gt: 0 } })
        .limit(limit)
        .toArray();
      return found.map(stateOf);
    },
    async save(tx, { runId, ...state }) {
      await documents.replaceOne(
        { _id: runId },
        { schemaVersion: 1, createdBy: "fold", ...state },
        { upsert: true, session: tx.session },
      );
    },
    async packed(tx, runId, { batches, points, openPoints }) {
      await documents.updateOne(
        { _id: runId },
        { $inc: { looseBatches: -batches, loosePoints: -points, openPoints } },
        { session: tx.session },
      );
    },
    async markStale(tx, runId) {
      await documents.updateOne({ _id: runId }, { $set: { stale: true } }, { session: tx.session });
    },
  };
}

function stateOf({ _id, schemaVersion: _, createdBy: __, ...state }: MetricStateDocument): MetricState {
  return { runId: _id, ...state };
}
