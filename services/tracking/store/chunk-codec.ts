import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { BlockStatistics } from "../domain/block-statistics.ts";
import type { MetricSegment } from "../domain/metric-segment.ts";
import type { PointColumns, SeriesPoint } from "../domain/series-buckets.ts";
import { decodeColumn, encodeBits, encodeGrid } from "./column-codec.ts";
import { columnReader, joinColumns } from "./joined-columns.ts";

/**
 * Segments as bytes: each is its four columns (steps, times, offsets, values), each column with its length before it. A
 * single segment's columns are compressed one by one, since each compresses best alone; of many short ones all is
 * compressed together, since alone they are too short. The first byte tells which.
 */
export function encodeSegments(segments: readonly MetricSegment[]): Uint8Array {
  const single = segments.length === 1;
  const columns = segments.flatMap(({ steps, timesMs, offsets, values }) => [
    encodeGrid(steps, single),
    encodeGrid(timesMs, single),
    encodeGrid(offsets, single),
    encodeBits(values, single),
  ]);
  return finish(joinColumns(columns), !single);
}

/** The segments again; `keys` and `counts` tell what they are. Only those of `wanted` are decoded. */
export function decodeSegments(
  encoded: Uint8Array,
  keys: readonly string[],
  counts: readonly number[],
  wanted?: ReadonlySet<string>,
): MetricSegment[] {
  return encodedSegments(encoded, keys, counts, wanted).map((segment) => ({
    ...decodePoints(segment),
    offsets: decodeColumn(segment.offsets, segment.count),
  }));
}

/** The same without the offsets, for whoever reads all of a chunk and need not know where its records stood. */
export function decodePointColumns(
  encoded: Uint8Array,
  keys: readonly string[],
  counts: readonly number[],
  wanted?: ReadonlySet<string>,
): KeyedColumns[] {
  return encodedSegments(encoded, keys, counts, wanted).map(decodePoints);
}

/** Points of one metric. */
export interface KeyedColumns extends PointColumns {
  readonly key: string;
}

interface EncodedSegment {
  readonly key: string;
  readonly count: number;
  readonly steps: Uint8Array;
  readonly timesMs: Uint8Array;
  readonly offsets: Uint8Array;
  readonly values: Uint8Array;
}

function encodedSegments(
  encoded: Uint8Array,
  keys: readonly string[],
  counts: readonly number[],
  wanted: ReadonlySet<string> | undefined,
): EncodedSegment[] {
  const next = columnReader(open(encoded));
  const segments = keys.map((key, index) => {
    const [steps, timesMs, offsets, values] = [next(), next(), next(), next()];
    return { key, count: counts[index] ?? 0, steps, timesMs, offsets, values };
  });
  return wanted === undefined ? segments : segments.filter(({ key }) => wanted.has(key));
}

function decodePoints({ key, count, steps, timesMs, values }: EncodedSegment): KeyedColumns {
  return {
    key,
    steps: decodeColumn(steps, count),
    timesMs: decodeColumn(timesMs, count),
    values: decodeColumn(values, count),
  };
}

const kept = ["first", "last", "min", "max"] as const;
const numbers = [
  "count",
  "nanCount",
  "positiveInfinityCount",
  "negativeInfinityCount",
  "timeLow",
  "timeHigh",
] as const;

/** The statistics of a segment's blocks as bytes: a column for each number of them. */
export function encodeStatistics(blocks: readonly BlockStatistics[]): Uint8Array {
  const column = (of: (block: BlockStatistics) => number) => Float64Array.from(blocks, of);
  const columns = [
    ...numbers.map((name) =>
      encodeGrid(
        column((block) => block[name]),
        false,
      ),
    ),
    ...kept.flatMap((name) => [
      encodeGrid(
        column((block) => block[name].step),
        false,
      ),
      encodeGrid(
        column((block) => block[name].timeMs),
        false,
      ),
      encodeBits(
        column((block) => block[name].value),
        blocks.length > 1,
      ),
    ]),
  ];
  return finish(joinColumns(columns), true);
}

/** The statistics again, of so many blocks. */
export function decodeStatistics(encoded: Uint8Array, blocks: number): BlockStatistics[] {
  const next = columnReader(open(encoded));
  const column = () => decodeColumn(next(), blocks);
  const [count, nan, positive, negative, timeLow, timeHigh] = numbers.map(column);
  const [first, last, min, max] = kept.map(() => {
    const [steps, times, values] = [column(), column(), column()];
    return (block: number): SeriesPoint => ({
      step: steps[block] ?? 0,
      timeMs: times[block] ?? 0,
      value: values[block] ?? 0,
    });
  });
  const nothing = { step: 0, timeMs: 0, value: 0 };
  return Array.from({ length: blocks }, (_, block) => ({
    count: count?.[block] ?? 0,
    nanCount: nan?.[block] ?? 0,
    positiveInfinityCount: positive?.[block] ?? 0,
    negativeInfinityCount: negative?.[block] ?? 0,
    timeLow: timeLow?.[block] ?? 0,
    timeHigh: timeHigh?.[block] ?? 0,
    first: first?.(block) ?? nothing,
    last: last?.(block) ?? nothing,
    min: min?.(block) ?? nothing,
    max: max?.(block) ?? nothing,
  }));
}

const PLAIN = 0;
const WHOLE_ZSTD = 1;

function finish(bytes: Uint8Array, compress: boolean): Uint8Array {
  const packed = compress ? zstdCompressSync(bytes) : bytes;
  const isSmaller = packed.length < bytes.length;
  return Buffer.concat([Uint8Array.of(isSmaller ? WHOLE_ZSTD : PLAIN), isSmaller ? packed : bytes]);
}

function open(encoded: Uint8Array): Uint8Array {
  const body = encoded.subarray(1);
  return encoded[0] === WHOLE_ZSTD ? zstdDecompressSync(body) : body;
}
