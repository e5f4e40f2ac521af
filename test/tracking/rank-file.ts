import { closeSync, openSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

const HEADER_BYTES = 8;
const METRICS_HEADER_BYTES = 19;
const FLUSH_BYTES = 4 * 1024 * 1024;

/** One metrics record as the SDK writes it; see record-frame.ts of the rank file's reader. */
export function metricsFrame(timeMs: number, step: number, values: ReadonlyMap<string, number>): Buffer {
  const keys = [...values.keys()].map((key) => Buffer.from(key));
  const bodyBytes = METRICS_HEADER_BYTES + keys.reduce((sum, { length }) => sum + length + 10, 0);
  const frame = Buffer.alloc(HEADER_BYTES + bodyBytes);
  const body = frame.subarray(HEADER_BYTES);
  body.writeUInt8(1, 0);
  body.writeDoubleLE(timeMs / 1_000, 1);
  body.writeBigInt64LE(BigInt(step), 9);
  body.writeUInt16LE(keys.length, 17);
  let at = METRICS_HEADER_BYTES;
  for (const [index, value] of [...values.values()].entries()) {
    const key = keys[index] ?? Buffer.alloc(0);
    body.writeUInt16LE(key.length, at);
    key.copy(body, at + 2);
    body.writeDoubleLE(value, at + 2 + key.length);
    at += key.length + 10;
  }
  frame.writeUInt32LE(bodyBytes, 0);
  frame.writeUInt32LE(crc32(body), 4);
  return frame;
}

/** What a rank has recorded. */
export interface RecordedRank {
  readonly steps: number;
  readonly keys: readonly string[];
  readonly seed: number;
  /** Values as a training that computes in float32 logs them. */
  readonly float32?: boolean;
}

/** Writes a rank's record file of a training that logged every 50 ms; returns its size. */
export function writeRankFile(path: string, { steps, keys, seed, float32 = false }: RecordedRank): number {
  const file = openSync(path, "w");
  const random = randomNumbers(seed);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let bytes = 0;
  const flush = () => {
    if (waiting.length > 0) writeSync(file, Buffer.concat(waiting));
    waiting = [];
    waitingBytes = 0;
  };
  for (let step = 0; step < steps; step++) {
    const values = new Map(
      keys.map((key, index) => {
        const value = Math.exp(-step / steps) + (index + 1) * 0.01 * random();
        return [key, float32 ? Math.fround(value) : value];
      }),
    );
    const frame = metricsFrame(1_700_000_000_000 + step * 50 + random(), step, values);
    waiting.push(frame);
    waitingBytes += frame.length;
    bytes += frame.length;
    if (waitingBytes > FLUSH_BYTES) flush();
  }
  flush();
  closeSync(file);
  return bytes;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
