import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { MetricPoint } from "../domain/metric-point.ts";
import { type MetricSummary, meanOf, type SummaryNumbers } from "../domain/metric-summary.ts";
import { summaryId } from "../domain/search/plan.ts";
import { type Scope, within } from "./session.ts";

/**
 * Aggregates of one metric of one run, over what has been folded into it (see metric-states.ts). The numbers that a search
 * compares and sorts by stand at the top, so that one index covers them all.
 */
export interface MetricSummaryDocument {
  /** `<run>:<key>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  /** Empty while the run's submission is not known. */
  readonly experimentId: string;
  readonly runId: string;
  readonly key: string;
  readonly createdBy: "fold";
  readonly updatedAt: Date;
  readonly first: number;
  readonly last: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly count: number;
  readonly nanCount: number;
  readonly minStep: number;
  readonly maxStep: number;
  readonly firstAt: PointPlace;
  readonly lastAt: PointPlace;
  /** Parts of the exact sum, so that more can be added. */
  readonly sum: readonly number[];
}

type PointPlace = Omit<MetricPoint, "key" | "value">;

export const metricSummaryIndexes: readonly IndexSpec[] = [
  {
    collection: "metric_summaries",
    name: "by_aggregate",
    // Covers a search by any of them: it reads this index and no row.
    key: {
      experimentId: 1,
      key: 1,
      last: 1,
      runId: 1,
      min: 1,
      max: 1,
      mean: 1,
      first: 1,
      count: 1,
      nanCount: 1,
    },
  },
];

/** What a summary is made of. */
const read = {
  ...{ _id: 0, runId: 1, key: 1, first: 1, last: 1, min: 1, max: 1, minStep: 1, maxStep: 1 },
  ...{ firstAt: 1, lastAt: 1, count: 1, nanCount: 1, sum: 1 },
} as const;
type ReadSummary = Pick<MetricSummaryDocument, Exclude<keyof typeof read, "_id">>;

/** What is shown of it: decoding rows is most of the time of a page that shows every metric. */
const numbers = {
  ...{ _id: 0, runId: 1, key: 1, first: 1, last: 1, min: 1, max: 1, mean: 1, minStep: 1, maxStep: 1 },
  ...{ "firstAt.step": 1, "lastAt.step": 1, "lastAt.timeMs": 1, count: 1, nanCount: 1 },
} as const;
type ReadNumbers = Omit<SummaryNumbers, "firstStep" | "lastStep" | "lastTimeMs"> &
  Pick<MetricSummaryDocument, "runId" | "firstAt" | "lastAt">;

/** By default the first answer has 101 rows, and what is asked for here is mostly more. */
const READ_AT_ONCE = 10_000;

/** Whose summaries they are. */
export interface SummaryOwner {
  readonly runId: string;
  readonly project: string;
  readonly experimentId: string;
}

/** Aggregates by run and metric: the only place that reads and writes them. */
export interface MetricSummaries {
  /** By key; of all metrics when no keys are given. */
  ofRun(runId: string, keys: readonly string[], scope?: Scope): Promise<Map<string, MetricSummary>>;
  /** As last folded, of these runs and keys, by run; what is not there is missing. */
  numbersOf(
    runIds: readonly string[],
    keys: readonly string[] | "all",
  ): Promise<Map<string, SummaryNumbers[]>>;
  save(tx: Tx, owner: SummaryOwner, summaries: Iterable<MetricSummary>): Promise<void>;
  /** Those of which the transaction sees no row; a row that another one has made meanwhile is a duplicate key. */
  insert(tx: Tx, owner: SummaryOwner, summaries: readonly MetricSummary[]): Promise<void>;
  /** Removes those of other keys. */
  keepOnly(tx: Tx, runId: string, keys: ReadonlySet<string>): Promise<void>;
}

/** The aggregates in this database. */
export function createMetricSummaries(store: Store): MetricSummaries {
  const documents = store.collection<MetricSummaryDocument>("metric_summaries");
  return {
    async ofRun(runId, keys, scope) {
      const filter =
        keys.length === 0 ? ofRunFilter(runId) : { _id: { $in: keys.map((key) => summaryId(runId, key)) } };
      const found = documents.find<ReadSummary>(filter, { ...within(scope), projection: read });
      const rows = await found.batchSize(READ_AT_ONCE).toArray();
      return new Map(rows.map((document) => [document.key, summaryOf(document)]));
    },
    async numbersOf(runIds, keys) {
      const byRun = new Map<string, SummaryNumbers[]>();
      if (runIds.length === 0) return byRun;
      const filter =
        keys === "all"
          ? { $or: runIds.map(ofRunFilter) }
          : { _id: { $in: runIds.flatMap((runId) => keys.map((key) => summaryId(runId, key))) } };
      const found = documents.find<ReadNumbers>(filter, { projection: numbers });
      for (const row of await found.batchSize(READ_AT_ONCE).toArray()) {
        const ofRun = byRun.get(row.runId) ?? [];
        if (ofRun.length === 0) byRun.set(row.runId, ofRun);
        ofRun.push(shownOf(row));
      }
      return byRun;
    },
    async save(tx, owner, summaries) {
      const updatedAt = new Date();
      const writes = Array.from(summaries, (summary) => {
        const document = documentOf(owner, summary, updatedAt);
        const { _id, ...replacement } = document;
        return { replaceOne: { filter: { _id }, replacement, upsert: true } };
      });
      if (writes.length > 0) await documents.bulkWrite(writes, { ordered: false, session: tx.session });
    },
    async insert(tx, owner, summaries) {
      if (summaries.length === 0) return;
      const updatedAt = new Date();
      await documents.insertMany(
        summaries.map((summary) => documentOf(owner, summary, updatedAt)),
        { ordered: false, session: tx.session },
      );
    },
    async keepOnly(tx, runId, keys) {
      const found = await documents
        .find(ofRunFilter(runId), { projection: { key: 1 }, session: tx.session })
        .toArray();
      const gone = found.filter(({ key }) => !keys.has(key)).map(({ _id }) => _id);
      if (gone.length > 0) await documents.deleteMany({ _id: { $in: gone } }, { session: tx.session });
    },
  };
}

/** Every id of the run: ";" follows ":". */
const ofRunFilter = (runId: string) => ({ _id: { $gte: `${runId}:`, $lt: `${runId};` } });

function documentOf(owner: SummaryOwner, summary: MetricSummary, updatedAt: Date): MetricSummaryDocument {
  const { first, last, min, max, count, nanCount, sum } = summary;
  return {
    _id: summaryId(owner.runId, last.key),
    schemaVersion: 1,
    ...owner,
    key: last.key,
    createdBy: "fold",
    updatedAt,
    first: first.value,
    last: last.value,
    min: min.value,
    max: max.value,
    mean: meanOf(summary),
    count,
    nanCount,
    minStep: min.step,
    maxStep: max.step,
    firstAt: placeOf(first),
    lastAt: placeOf(last),
    sum,
  };
}

function placeOf({ step, timeMs, rank, attempt }: MetricPoint): PointPlace {
  return { step, timeMs, rank, attempt };
}

/** By name each: to copy what is left of rows took nearly a tenth of the service's time of a page with every metric. */
function shownOf(row: ReadNumbers): SummaryNumbers {
  return {
    key: row.key,
    first: row.first,
    firstStep: row.firstAt.step,
    last: row.last,
    lastStep: row.lastAt.step,
    lastTimeMs: row.lastAt.timeMs,
    min: row.min,
    minStep: row.minStep,
    max: row.max,
    maxStep: row.maxStep,
    mean: row.mean,
    count: row.count,
    nanCount: row.nanCount,
  };
}

function summaryOf(document: ReadSummary): MetricSummary {
  const { key, first, last, min, max, minStep, maxStep, firstAt, lastAt, count, nanCount, sum } = document;
  return {
    first: { key, value: first, ...firstAt },
    last: { key, value: last, ...lastAt },
    min: { value: min, step: minStep },
    max: { value: max, step: maxStep },
    count,
    nanCount,
    sum,
  };
}
