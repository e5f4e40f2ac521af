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
  /** When loose batches shall be packed; absent while there are hardly any. */
  readonly packAt?: Date;
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
    name: "to_pack",
    key: { packAt: 1 },
    partialFilterExpression: { packAt: { $exists: true } },
  },
];

/** The states of runs' metrics: the only place that reads and writes them. */
export interface MetricStates {
  find(runId: string, scope?: Scope): Promise<MetricState | undefined>;
  /** Runs whose summaries shall be made anew. */
  stale(limit: number): Promise<string[]>;
  /** Runs whose loose batches shall be packed by now. */
  toPack(now: Date, limit: number): Promise<string[]>;
  save(tx: Tx, state: MetricState): Promise<void>;
  /** Takes down that what was to be packed by then has been looked after, and when to look again; a fold meanwhile knows better. */
  lookedAfter(runId: string, until: Date, again: Date | undefined): Promise<void>;
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
    async toPack(now, limit) {
      const filter = { packAt: { $lte: now } };
      const found = await documents
        .find(filter, { projection: { _id: 1 } })
        .sort({ packAt: 1 })
        .limit(limit);
      return (await found.toArray()).map(({ _id }) => _id);
    },
    async lookedAfter(runId, until, again) {
      const filter = { _id: runId, packAt: { $lte: until } };
      const change = again === undefined ? { $unset: { packAt: "" as const } } : { $set: { packAt: again } };
      await documents.updateOne(filter, change);
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
