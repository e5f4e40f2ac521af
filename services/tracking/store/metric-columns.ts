import type { MetricBatch } from "../domain/metric-batch.ts";

/**
 * The columns of a batch as bytes, little-endian as every machine that we run on: steps, times and values as float64,
 * then the records' offsets relative to the batch's begin as uint32, then key indices as uint16. 30 bytes a point; equal
 * columns side by side, which the database's block compression halves again.
 */
export function packColumns(batch: MetricBatch): Buffer {
  const count = batch.offsets.length;
  const bytes = new ArrayBuffer(packedBytes(count));
  const views = viewsOf(bytes, count);
  views.steps.set(batch.steps);
  views.timesMs.set(batch.timesMs);
  views.values.set(batch.values);
  views.offsets.set(batch.offsets.map((offset) => offset - batch.begin));
  views.keyIndex.set(batch.keyIndex);
  return Buffer.from(bytes);
}

/** The columns again. Throws RangeError when the bytes are not `count` points. */
export function unpackColumns(
  packed: Uint8Array,
  count: number,
  begin: number,
): Pick<MetricBatch, "keyIndex" | "steps" | "timesMs" | "values" | "offsets"> {
  if (packed.byteLength !== packedBytes(count)) {
    throw new RangeError(`expected ${packedBytes(count)} bytes of ${count} points, got ${packed.byteLength}`);
  }
  // A copy, because float64 views must begin at a multiple of eight.
  const views = viewsOf(Uint8Array.from(packed).buffer, count);
  return { ...views, offsets: Float64Array.from(views.offsets, (offset) => offset + begin) };
}

const packedBytes = (count: number) => count * 30;

function viewsOf(bytes: ArrayBuffer, count: number) {
  return {
    steps: new Float64Array(bytes, 0, count),
    timesMs: new Float64Array(bytes, count * 8, count),
    values: new Float64Array(bytes, count * 16, count),
    offsets: new Uint32Array(bytes, count * 24, count),
    keyIndex: new Uint16Array(bytes, count * 28, count),
  };
}
