import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { Binary, type Filter } from "mongodb";
import { BLOCK_POINTS, type BlockStatistics, blockStatistics } from "../domain/block-statistics.ts";
import type { MetricBatch } from "../domain/metric-batch.ts";
import { extentOf, type MetricSegment, type PlannedChunk } from "../domain/metric-segment.ts";
import type { OffsetRange } from "../domain/offset-ranges.ts";
import type { PointExtent, PointRange } from "../domain/point-range.ts";
import { type RankSource, samplesOf } from "../domain/telemetry-source.ts";
import type { VisibleHistory } from "../domain/visible-history.ts";
import { type BytesLru, createBytesLru } from "./bytes-lru.ts";
import {
  decodePointColumns,
  decodeSegments,
  decodeStatistics,
  encodeSegments,
  encodeStatistics,
  type KeyedColumns,
} from "./chunk-codec.ts";
import type { StoredBatch } from "./metric-batches.ts";
import { type Scope, within } from "./session.ts";

/** Points of one rank, by metric, packed out of batches. See ADR 0014. */
interface MetricChunkDocument extends RankSource, PointExtent {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: "pack";
  /** Sorted; a chunk of one metric has one. */
  readonly keys: readonly string[];
  /** The first and last of them, for the index. */
  readonly keyLow: string;
  readonly keyHigh: string;
  /** Points of each key. */
  readonly counts: readonly number[];
  /** Lowest and highest offset of a record. */
  readonly offsetLow: number;
  readonly offsetHigh: number;
  /** Whether it is packed again with what comes next. */
  readonly open: boolean;
  /** Statistics of blocks; only of a chunk with one metric and more than one block. */
  readonly statistics?: Binary;
  readonly data: Binary;
}

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

/** Which chunks to read. */
export interface ChunkQuery {
  readonly runId: string;
  readonly history: VisibleHistory;
  /** Empty means all. */
  readonly keys: readonly string[];
  readonly rank?: number | undefined;
  readonly range: PointRange;
}

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

function documentOf(
  { runId, attempt, rank }: RankSource,
  project: string,
  { segments, open }: PlannedChunk,
  createdAt: Date,
): MetricChunkDocument {
  const keys = segments.map(({ key }) => key);
  const [keyLow = "", keyHigh = keyLow] = [keys[0], keys.at(-1)];
  const offsetLow = Math.min(...segments.map(({ offsets }) => offsets[0] ?? 0));
  const offsetHigh = Math.max(...segments.map(({ offsets }) => offsets.at(-1) ?? 0));
  const [single] = segments;
  const hasBlocks = segments.length === 1 && single !== undefined && single.values.length > BLOCK_POINTS;
  return {
    _id: `${runId}:${crypto.randomUUID()}`,
    schemaVersion: 1,
    project,
    createdAt,
    createdBy: "pack",
    runId,
    attempt,
    rank,
    keys,
    keyLow,
    keyHigh,
    counts: segments.map(({ values }) => values.length),
    offsetLow,
    offsetHigh,
    open,
    ...extentOf(segments),
    ...(hasBlocks ? { statistics: new Binary(encodeStatistics(blockStatistics(single))) } : {}),
    data: new Binary(encodeSegments(segments)),
  };
}

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

function segmentsOf(document: MetricChunkDocument, wanted?: ReadonlySet<string>): MetricSegment[] {
  return decodeSegments(document.data.value(), document.keys, document.counts, wanted);
}

function batchOf(document: MetricChunkDocument, wanted?: ReadonlySet<string>) {
  const { runId, attempt, rank, offsetLow, offsetHigh } = document;
  const segments = segmentsOf(document, wanted);
  const count = segments.reduce((sum, { values }) => sum + values.length, 0);
  const keyIndex = new Uint16Array(count);
  let at = 0;
  for (const [index, { values }] of segments.entries()) {
    keyIndex.fill(index, at, at + values.length);
    at += values.length;
  }
  const join = (column: "steps" | "timesMs" | "values" | "offsets") => {
    const [only] = segments;
    if (segments.length === 1 && only !== undefined) return only[column];
    const joined = new Float64Array(count);
    let from = 0;
    for (const segment of segments) {
      joined.set(segment[column], from);
      from += segment[column].length;
    }
    return joined;
  };
  const batch: MetricBatch = {
    begin: offsetLow,
    end: offsetHigh + 1,
    keys: segments.map(({ key }) => key),
    keyIndex,
    steps: join("steps"),
    timesMs: join("timesMs"),
    values: join("values"),
    offsets: join("offsets"),
  };
  return { source: { runId, attempt, rank }, batch };
}

function filterOf({ runId, history, keys, rank, range }: ChunkQuery): Filter<MetricChunkDocument> {
  const visible = [...history].flatMap(([attempt, visibility]): Filter<MetricChunkDocument>[] => {
    if (visibility.kind === "whole") return [{ attempt }];
    return visibility.offsets.map((prefix) => ({
      attempt,
      rank: prefix.rank,
      offsetLow: { $lt: prefix.offset },
    }));
  });
  const [minStep, maxStep] = [range.minStep, range.maxStep];
  const [minTimeMs, maxTimeMs] = [range.minTimeMs, range.maxTimeMs];
  return {
    runId,
    ...keysFilter(keys),
    $and: [
      { $or: [...visible, { rank: { $lt: 0 } }] },
      ...(rank === undefined ? [] : [{ rank: { $in: [rank, samplesOf(rank)] } }]),
      ...(minStep === undefined ? [] : [{ stepHigh: { $gte: minStep } }]),
      ...(maxStep === undefined ? [] : [{ stepLow: { $lte: maxStep } }]),
      ...(minTimeMs === undefined ? [] : [{ timeHigh: { $gte: minTimeMs } }]),
      ...(maxTimeMs === undefined ? [] : [{ timeLow: { $lte: maxTimeMs } }]),
    ],
  };
}

function keysFilter(keys: readonly string[]): Filter<MetricChunkDocument> {
  if (keys.length === 0) return {};
  const sorted = [...keys].sort();
  const [lowest = "", highest = lowest] = [sorted[0], sorted.at(-1)];
  // One key is found by the index; of several, what lies between them is looked at and left out.
  return { keyLow: { $lte: highest }, keyHigh: { $gte: lowest } };
}
