import type { MetricBatch } from "../domain/metric-batch.ts";
import { decodeColumn, encodeBits, encodeGrid } from "./column-codec.ts";
import { columnReader, joinColumns } from "./joined-columns.ts";

type Columns = Pick<MetricBatch, "keyIndex" | "steps" | "timesMs" | "values" | "offsets">;

/**
 * The columns of a batch as bytes: steps, times, the records' offsets relative to the batch's begin and the key indices on
 * grids, values as they are. Some 12 bytes a point where times are whole milliseconds, 13 where they are not; the database writes
 * them twice, into its journal and its log. Nothing is compressed, since somebody waits for it.
 */
export function packColumns({ begin, steps, timesMs, offsets, keyIndex, values }: MetricBatch): Uint8Array {
  const relative = offsets.map((offset) => offset - begin);
  return joinColumns([
    ...[steps, timesMs, relative, Float64Array.from(keyIndex)].map((column) => encodeGrid(column, false)),
    encodeBits(values, false),
  ]);
}

/** The columns again. Throws RangeError when the bytes are not `count` points. */
export function unpackColumns(packed: Uint8Array, count: number, begin: number): Columns {
  const next = columnReader(packed);
  const column = () => decodeColumn(next(), count);
  const [steps, timesMs, relative, keyIndex, values] = [column(), column(), column(), column(), column()];
  return {
    steps,
    timesMs,
    offsets: relative.map((offset) => offset + begin),
    keyIndex: Uint16Array.from(keyIndex),
    values,
  };
}

/**
 * The columns of batches that an earlier version has stored: steps, times and values as float64, relative offsets as uint32,
 * key indices as uint16, all little-endian. Throws RangeError when the bytes are not `count` points.
 */
export function unpackPlainColumns(packed: Uint8Array, count: number, begin: number): Columns {
  if (packed.byteLength !== count * 30) {
    throw new RangeError(`expected ${count * 30} bytes of ${count} points, got ${packed.byteLength}`);
  }
  // A copy, because float64 views must begin at a multiple of eight.
  const { buffer } = Uint8Array.from(packed);
  return {
    steps: new Float64Array(buffer, 0, count),
    timesMs: new Float64Array(buffer, count * 8, count),
    values: new Float64Array(buffer, count * 16, count),
    offsets: Float64Array.from(new Uint32Array(buffer, count * 24, count), (offset) => offset + begin),
    keyIndex: new Uint16Array(buffer, count * 28, count),
  };
}
