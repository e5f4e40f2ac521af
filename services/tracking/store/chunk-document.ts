import { Binary } from "mongodb";
import { BLOCK_POINTS, blockStatistics } from "../domain/block-statistics.ts";
import type { MetricBatch } from "../domain/metric-batch.ts";
import { extentOf, type MetricSegment, type PlannedChunk } from "../domain/metric-segment.ts";
import type { PointExtent } from "../domain/point-range.ts";
import type { RankSource } from "../domain/telemetry-source.ts";
import { decodeSegments, encodeSegments, encodeStatistics } from "./chunk-codec.ts";
import type { StoredBatch } from "./metric-batch-document.ts";

/** Points of one rank, by metric, packed out of batches. See ADR 0014. */
export interface MetricChunkDocument extends RankSource, PointExtent {
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

/** What is stored of a chunk. */
export function documentOf(
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

/** The points again, of the wanted keys only. */
export function segmentsOf(document: MetricChunkDocument, wanted?: ReadonlySet<string>): MetricSegment[] {
  return decodeSegments(document.data.value(), document.keys, document.counts, wanted);
}

/** The points as a batch whose offsets ascend by key only. */
export function batchOf(document: MetricChunkDocument, wanted?: ReadonlySet<string>): StoredBatch {
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
