import { create, type UnknownField } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { tracking } from "@trainyard/contracts";
import type { PointColumns } from "../domain/series-buckets.ts";
import { doubleBytes } from "./column-bytes.ts";

/** Longest length of a field, and longest step: 2^53 - 1 and its sign are 54 bits, 7 in each byte. */
const MOST_LENGTH_BYTES = 5;
const MOST_STEP_BYTES = 8;

/**
 * The first points of columns as a message that has its fields as bytes already, which only a binary answer can carry. Protobuf's
 * writer takes arrays of bigints and numbers one by one: with their making, most of what a whole history's answer took.
 */
export function packedPoints({ steps, timesMs, values }: PointColumns, count: number): tracking.SeriesPoints {
  const points = create(tracking.SeriesPointsSchema);
  const { field } = tracking.SeriesPointsSchema;
  points.$unknown = [
    packed(field.steps.number, count * MOST_STEP_BYTES, (bytes, at) => writeSteps(bytes, at, steps, count)),
    packed(field.timesMs.number, count * 8, (bytes, at) => writeDoubles(bytes, at, timesMs, count)),
    packed(field.values.number, count * 8, (bytes, at) => writeDoubles(bytes, at, values, count)),
  ];
  return points;
}

/** A packed field: its length, then what `write` writes from an index on, which gives where that ends. */
function packed(
  no: number,
  mostBytes: number,
  write: (bytes: Uint8Array, at: number) => number,
): UnknownField {
  const bytes = new Uint8Array(MOST_LENGTH_BYTES + mostBytes);
  const length = write(bytes, MOST_LENGTH_BYTES) - MOST_LENGTH_BYTES;
  const begin = MOST_LENGTH_BYTES - varintSize(length);
  writeVarint(bytes, begin, length);
  return {
    no,
    wireType: WireType.LengthDelimited,
    data: bytes.subarray(begin, MOST_LENGTH_BYTES + length),
  };
}

/** As `sint64`: the sign in the lowest bit, and of negative steps one less than their size. */
function writeSteps(bytes: Uint8Array, from: number, steps: Float64Array, count: number): number {
  let at = from;
  for (let index = 0; index < count; index++) {
    const step = steps[index] ?? 0;
    const size = step < 0 ? -step - 1 : step;
    // Twice the size may be no number any more, so the first byte is made apart.
    const low = (size % 64) * 2 + (step < 0 ? 1 : 0);
    if (size < 64) bytes[at++] = low;
    else {
      bytes[at] = low | 0x80;
      at = writeVarint(bytes, at + 1, Math.floor(size / 64));
    }
  }
  return at;
}

function writeDoubles(bytes: Uint8Array, at: number, column: Float64Array, count: number): number {
  bytes.set(doubleBytes(column, count), at);
  return at + count * 8;
}

function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return at;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}
