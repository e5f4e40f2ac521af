import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Binary } from "mongodb";
import { BLOCK_POINTS, type BlockStatistics } from "../domain/block-statistics.ts";
import type { MetricSegment, PlannedChunk } from "../domain/metric-segment.ts";
import type { OffsetRange } from "../domain/offset-ranges.ts";
import type { PointExtent } from "../domain/point-range.ts";
import type { RankSource } from "../domain/telemetry-source.ts";
import { type BytesLru, createBytesLru } from "./bytes-lru.ts";
import { decodePointColumns, decodeStatistics, type KeyedColumns } from "./chunk-codec.ts";
import { batchOf, documentOf, type MetricChunkDocument, segmentsOf } from "./chunk-document.ts";
import { type ChunkQuery, filterOf } from "./chunk-filter.ts";
import type { StoredBatch } from "./metric-batch-document.ts";
import { type Scope, within } from "./session.ts";

export const metricChunkIndexes: readonly IndexSpec[] = [
  { collection: "metric_chunks", name: "by_key", key: { runId: 1, keyLow: 1, keyHigh: 1 } },
  { collection: "metric_chunks", name: "by_rank", key: { runId: 1, attempt: 1, rank: 1, offsetHigh: 1 } },
];

/** A chunk without its points. */
export interface ChunkHead extends PointExtent {
  readonly id: string;
  readonly source: RankSource;
  readonly keys: readonly string[];
  readonly counts: readonly number[];
  readonly offsetHigh: number;
  /** Decodes the statistics of its blocks; absent where the points are as quickly read. */
  readonly blocks?: () => readonly BlockStatistics[];
}

/**
 * Of charts that are looked at now, what was decoded last: a chunk never changes under its id, and whether it is there, and
 * is history, its head says each time. About 2.7 million points, and blocks of 13 million.
 */
const REMEMBERED_POINT_BYTES = 64 * 1024 * 1024;
const REMEMBERED_BLOCK_BYTES = 32 * 1024 * 1024;
const POINT_BYTES = 3 * Float64Array.BYTES_PER_ELEMENT;
/** What V8 takes for the five objects of a block, about. */
const BLOCK_BYTES = 320;

/** The chunks: the only place that reads and writes them. */
export interface MetricChunks {
  insert(tx: Tx, source: RankSource, project: string, chunks: readonly PlannedChunk[]): Promise<void>;
  /** Removes them; false when one was not there, and the transaction must not commit. */
  remove(tx: Tx, ids: readonly string[]): Promise<boolean>;
  /** The segments of chunks of this rank that are to be packed again. */
  open(
    source: RankSource,
  ): Promise<{ readonly ids: readonly string[]; readonly segments: readonly MetricSegment[] }>;
  /** What a query touches, without points, by step. */
  heads(query: ChunkQuery, scope: Scope): Promise<ChunkHead[]>;
  /** The points of these chunks, of the wanted keys only. */
  segments(
    ids: readonly string[],
    wanted: ReadonlySet<string> | undefined,
    scope: Scope,
  ): AsyncIterable<{ readonly id: string; readonly segments: readonly MetricSegment[] }>;
  /** The points of all of these chunks without their offsets, of the wanted keys only, chunk by chunk in any order. */
  columns(
    heads: readonly ChunkHead[],
    wanted: ReadonlySet<string>,
    scope: Scope,
  ): AsyncIterable<readonly KeyedColumns[]>;
  /** The points of these chunks, as batches whose offsets ascend by key only; of all keys when `wanted` is empty. */
  readMany(ids: readonly string[], wanted: ReadonlySet<string>, scope: Scope): AsyncIterable<StoredBatch>;
  /** What a query touches, as batches whose offsets ascend by key only. */
  read(query: ChunkQuery, scope: Scope): AsyncIterable<StoredBatch>;
  /** The same of one rank's records in an offset range; others may be among them. */
  readRange(source: RankSource, range: OffsetRange, scope: Scope): Promise<StoredBatch[]>;
}

/** The chunks in this database. */
export function createMetricChunks(store: Store): MetricChunks {
  const documents = store.collection<MetricChunkDocument>("metric_chunks");
  const points = createBytesLru<readonly KeyedColumns[]>(REMEMBERED_POINT_BYTES);
  const blocks = createBytesLru<readonly BlockStatistics[]>(REMEMBERED_BLOCK_BYTES);
  return {
    async insert(tx, source, project, chunks) {
      if (chunks.length === 0) return;
      const createdAt = new Date();
      const inserted = chunks.map((chunk) => documentOf(source, project, chunk, createdAt));
      await documents.insertMany(inserted, { ordered: false, session: tx.session });
    },
    async remove(tx, ids) {
      if (ids.length === 0) return true;
      const { deletedCount } = await documents.deleteMany(
        { _id: { $in: [...ids] } },
        { session: tx.session },
      );
      return deletedCount === ids.length;
    },
    async open({ runId, attempt, rank }) {
      const found = await documents.find({ runId, attempt, rank, open: true }).toArray();
      return { ids: found.map(({ _id }) => _id), segments: found.flatMap((each) => segmentsOf(each)) };
    },
    async heads(query, scope) {
      const found = await documents
        .find(filterOf(query), { projection: { data: 0 }, batchSize: MAX_BATCH, ...within(scope) })
        .toArray();
      const wanted = new Set(query.keys);
      return found
        .filter(({ keys }) => wanted.size === 0 || keys.some((key) => wanted.has(key)))
        .map((document) => headOf(document, blocks))
        .sort((a, b) => a.stepLow - b.stepLow);
    },
    async *segments(ids, wanted, scope) {
      const found = documents.find(
        { _id: { $in: [...ids] } },
        { projection: { statistics: 0 }, batchSize: MAX_BATCH, ...within(scope) },
      );
      for await (const document of found) yield { id: document._id, segments: segmentsOf(document, wanted) };
    },
    async *columns(heads, wanted, scope) {
      const missing: string[] = [];
      for (const { id } of heads) {
        const known = points.get(id);
        if (known === undefined) missing.push(id);
        else yield known;
      }
      if (missing.length === 0) return;
      const found = documents.find(
        { _id: { $in: missing } },
        { projection: { statistics: 0 }, batchSize: MAX_BATCH, ...within(scope) },
      );
      for await (const { _id, data, keys, counts, open } of found) {
        const columns = decodePointColumns(data.value(), keys, counts, wanted);
        // What is open is soon packed again under another id.
        if (!open && keys.length === 1) points.set(_id, columns, (counts[0] ?? 0) * POINT_BYTES);
        yield columns;
      }
    },
    async *readMany(ids, wanted, scope) {
      const found = documents.find(
        { _id: { $in: [...ids] } },
        { projection: { statistics: 0 }, ...within(scope) },
      );
      for await (const document of found) yield batchOf(document, wanted.size === 0 ? undefined : wanted);
    },
    async *read(query, scope) {
      const wanted = query.keys.length === 0 ? undefined : new Set(query.keys);
      const found = documents.find(filterOf(query), { projection: { statistics: 0 }, ...within(scope) });
      for await (const document of found) yield batchOf(document, wanted);
    },
    async readRange({ runId, attempt, rank }, { begin, end }, scope) {
      const filter = { runId, attempt, rank, offsetHigh: { $gte: begin }, offsetLow: { $lt: end } };
      return (await documents.find(filter, within(scope)).toArray()).map((document) => batchOf(document));
    },
  };
}

/** Documents in one answer of the database; its size is bounded by the server besides. */
const MAX_BATCH = 1_000;

type WithoutData = Omit<MetricChunkDocument, "data">;

function headOf(document: WithoutData, remembered: BytesLru<readonly BlockStatistics[]>): ChunkHead {
  const { _id, runId, attempt, rank, keys, counts, offsetHigh } = document;
  const { stepLow, stepHigh, timeLow, timeHigh } = document;
  const { statistics } = document;
  return {
    id: _id,
    source: { runId, attempt, rank },
    keys,
    counts,
    offsetHigh,
    stepLow,
    stepHigh,
    timeLow,
    timeHigh,
    ...(statistics === undefined ? {} : { blocks: () => blocksOf(document, statistics, remembered) }),
  };
}

function blocksOf(
  { _id, counts, open }: WithoutData,
  statistics: Binary,
  remembered: BytesLru<readonly BlockStatistics[]>,
): readonly BlockStatistics[] {
  const known = remembered.get(_id);
  if (known !== undefined) return known;
  const count = Math.ceil((counts[0] ?? 0) / BLOCK_POINTS);
  const blocks = decodeStatistics(statistics.value(), count);
  if (!open) remembered.set(_id, blocks, count * BLOCK_BYTES);
  return blocks;
}
