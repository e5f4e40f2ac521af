import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { Binary, type Filter, type WithId } from "mongodb";
import type { MetricBatch } from "../domain/metric-batch.ts";
import { type MetricSummary, summarizeBatch } from "../domain/metric-summary.ts";
import type { OffsetRange } from "../domain/offset-ranges.ts";
import type { RankSource } from "../domain/telemetry-source.ts";
import { type VisibleHistory, visibleEnd } from "../domain/visible-history.ts";
import { packColumns, unpackColumns } from "./metric-columns.ts";
import { type Scope, within } from "./session.ts";

/** Points of one rank. Batches of one rank never overlap: what was stored before is cut off. */
interface MetricBatchDocument extends RankSource {
  /** `<run>:<attempt>:<rank>:<begin>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: "telemetry";
  readonly begin: number;
  readonly end: number;
  readonly keys: readonly string[];
  readonly count: number;
  readonly columns: Binary;
  /** Of all its points, so that aggregates are read without them. */
  readonly summaries: readonly MetricSummary[];
}

export const metricBatchIndexes: readonly IndexSpec[] = [
  { collection: "metric_batches", name: "by_rank", key: { runId: 1, attempt: 1, rank: 1, begin: 1 } },
];

/** A batch and whose it is. */
export interface StoredBatch {
  readonly source: RankSource;
  readonly batch: MetricBatch;
}

/** Which points to read. */
export interface PointQuery {
  readonly runId: string;
  readonly history: VisibleHistory;
  /** Absent or empty means all. */
  readonly keys?: readonly string[];
  readonly rank?: number;
}

/** The metric points: the only place that reads and writes them. */
export interface MetricBatches {
  insert(tx: Tx, batches: readonly (StoredBatch & { readonly project: string })[]): Promise<void>;
  /** Batches with visible points; some of their points may be beyond the visible end. */
  read(query: PointQuery): AsyncIterable<StoredBatch>;
  /** Batches of this rank that begin in the range. */
  readRange(source: RankSource, range: OffsetRange): Promise<StoredBatch[]>;
  /** Summaries of the visible points, one or more per key: merge them. */
  summaries(query: PointQuery, scope?: Scope): AsyncIterable<MetricSummary>;
}

/** The metric points in this database. */
export function createMetricBatches(store: Store): MetricBatches {
  const documents = store.collection<MetricBatchDocument>("metric_batches");
  return {
    async insert(tx, batches) {
      if (batches.length === 0) return;
      const createdAt = new Date();
      await documents.insertMany(
        batches.map((each) => documentOf(each, createdAt)),
        { ordered: false, session: tx.session },
      );
    },
    async *read(query) {
      for await (const document of documents.find(filterOf(query))) yield storedBatchOf(document);
    },
    async readRange({ runId, attempt, rank }, { begin, end }) {
      const filter = { runId, attempt, rank, begin: { $gte: begin, $lt: end } };
      return (await documents.find(filter).sort({ begin: 1 }).toArray()).map(storedBatchOf);
    },
    async *summaries(query, scope) {
      const found = documents.find(filterOf(query), { projection: { columns: 0 }, ...within(scope) });
      for await (const { _id, attempt, rank, end, summaries } of found) {
        const visible = visibleEnd(query.history, attempt, rank);
        if (end <= visible) yield* summaries;
        else yield* await cutSummaries(_id, visible, scope);
      }
    },
  };

  async function cutSummaries(_id: string, visible: number, scope: Scope): Promise<Iterable<MetricSummary>> {
    const document = await documents.findOne({ _id }, within(scope));
    if (document === null) return [];
    const { source, batch } = storedBatchOf(document);
    return summarizeBatch(batch, originOf(source), visible).values();
  }
}

/** Rank and attempt, as a point names them. */
function originOf({ rank, attempt }: RankSource): { rank: number; attempt: number } {
  return { rank, attempt };
}

function documentOf(
  { source, batch, project }: StoredBatch & { readonly project: string },
  createdAt: Date,
): MetricBatchDocument {
  const { runId, attempt, rank } = source;
  return {
    _id: `${runId}:${attempt}:${rank}:${batch.begin}`,
    schemaVersion: 1,
    project,
    createdAt,
    createdBy: "telemetry",
    runId,
    attempt,
    rank,
    begin: batch.begin,
    end: batch.end,
    keys: batch.keys,
    count: batch.offsets.length,
    columns: new Binary(packColumns(batch)),
    summaries: [...summarizeBatch(batch, originOf(source)).values()],
  };
}

function storedBatchOf(document: WithId<MetricBatchDocument>): StoredBatch {
  const { runId, attempt, rank, begin, end, keys, count, columns } = document;
  const batch = { begin, end, keys, ...unpackColumns(columns.value(), count, begin) };
  return { source: { runId, attempt, rank }, batch };
}

function filterOf({ runId, history, keys, rank }: PointQuery): Filter<MetricBatchDocument> {
  const visible = [...history].flatMap(([attempt, visibility]): Filter<MetricBatchDocument>[] => {
    if (visibility.kind === "whole") return [{ attempt }];
    return visibility.offsets.map((prefix) => ({
      attempt,
      rank: prefix.rank,
      begin: { $lt: prefix.offset },
    }));
  });
  return {
    runId,
    ...(visible.length === 0 ? { attempt: -1 } : { $or: visible }),
    ...(keys === undefined || keys.length === 0 ? {} : { keys: { $in: [...keys] } }),
    ...(rank === undefined ? {} : { $and: [{ rank }] }),
  };
}
