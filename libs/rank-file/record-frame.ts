/**
 * The record file of a rank (`records.bin`), as the SDK's `records.py` defines it. A sequence of frames, little-endian:
 * `u32 body length | u32 CRC-32 of the body | body`; the body's first byte is its kind: 1 = metrics
 * (`f64 unix seconds | i64 step | u16 count | count × (u16 key length | key | f64 value)`), 2 = a JSON object. A frame's
 * sequence is its byte offset. A frame that is short, or whose CRC differs, is a torn tail and ends what can be read.
 * Everything in it was written by the user's process and is not to be trusted.
 */
export const FRAME_HEADER_BYTES = 8;
/** A longer body is a torn tail: no writer makes one. */
export const MAX_BODY_BYTES = 1 << 24;
/** A metrics record with a longer body is skipped: its points would not fit one message, and a record is never split. */
export const MAX_METRICS_BODY_BYTES = 256 * 1024;
/** A JSON record with a longer body is skipped. */
export const MAX_OBJECT_BODY_BYTES = 4 * 1024 * 1024;
export const MAX_KEY_BYTES = 512;

/** One readable frame. `offset` is where it starts, `end` where the next one does. */
export interface Frame {
  readonly offset: number;
  readonly end: number;
  readonly content: FrameContent;
}

export type FrameContent =
  | {
      readonly kind: "metrics";
      readonly timeMs: number;
      readonly step: bigint;
      readonly points: readonly Point[];
    }
  | { readonly kind: "object"; readonly json: string }
  /** Sound as a frame, but not understood: skipped with this reason. */
  | { readonly kind: "skipped"; readonly why: string };

export interface Point {
  readonly key: string;
  readonly value: number;
}

/** The checksum of zlib's `crc32`, handed in because the domain does no I/O and imports nothing. */
export type Crc32 = (bytes: Uint8Array) => number;

export type FrameRead =
  | { readonly kind: "frame"; readonly frame: Frame }
  /** So many bytes from the frame's start are needed to read it. */
  | { readonly kind: "more"; readonly bytes: number }
  | { readonly kind: "torn" };

/** Reads the frame at the beginning of `bytes`, which stands at `offset` of the file. */
export function readFrame(bytes: Uint8Array, offset: number, crc32: Crc32): FrameRead {
  if (bytes.length < FRAME_HEADER_BYTES) return { kind: "more", bytes: FRAME_HEADER_BYTES };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  if (length === 0 || length > MAX_BODY_BYTES) return { kind: "torn" };
  const size = FRAME_HEADER_BYTES + length;
  if (bytes.length < size) return { kind: "more", bytes: size };
  const body = bytes.subarray(FRAME_HEADER_BYTES, size);
  if (crc32(body) !== view.getUint32(4, true)) return { kind: "torn" };
  return { kind: "frame", frame: { offset, end: offset + size, content: contentOf(body) } };
}

function contentOf(body: Uint8Array): FrameContent {
  if (body[0] === 1) return metricsOf(body);
  if (body[0] !== 2) return { kind: "skipped", why: `unknown kind ${body[0]}` };
  if (body.length > MAX_OBJECT_BODY_BYTES)
    return { kind: "skipped", why: `an object of ${body.length} bytes` };
  return { kind: "object", json: new TextDecoder().decode(body.subarray(1)) };
}

const METRICS_HEADER_BYTES = 19;

function metricsOf(body: Uint8Array): FrameContent {
  if (body.length > MAX_METRICS_BODY_BYTES)
    return { kind: "skipped", why: `metrics of ${body.length} bytes` };
  if (body.length < METRICS_HEADER_BYTES) return { kind: "skipped", why: "metrics cut short" };
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const count = view.getUint16(17, true);
  const points: Point[] = [];
  let at = METRICS_HEADER_BYTES;
  for (let index = 0; index < count; index += 1) {
    const keyBytes = at + 2 <= body.length ? view.getUint16(at, true) : 0;
    const valueAt = at + 2 + keyBytes;
    if (keyBytes === 0 || keyBytes > MAX_KEY_BYTES || valueAt + 8 > body.length) {
      return { kind: "skipped", why: "metrics with a bad key" };
    }
    const key = new TextDecoder().decode(body.subarray(at + 2, valueAt));
    points.push({ key, value: view.getFloat64(valueAt, true) });
    at = valueAt + 8;
  }
  return {
    kind: "metrics",
    timeMs: view.getFloat64(1, true) * 1000,
    step: view.getBigInt64(9, true),
    points,
  };
}
