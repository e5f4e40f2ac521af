import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_POINTS, blockStatistics } from "../domain/block-statistics.ts";
import type { MetricSegment } from "../domain/metric-segment.ts";
import { decodeSegments, decodeStatistics, encodeSegments, encodeStatistics } from "./chunk-codec.ts";
import { decodeColumn, encodeBits, encodeGrid } from "./column-codec.ts";

const anyNumber = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324),
);
const anyStep = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER),
);
const anyTime = fc.oneof(
  fc
    .integer({ min: 1_700_000_000_000_000, max: 1_700_000_100_000_000 })
    .map((micros) => (micros / 1e6) * 1e3),
  anyNumber.filter(Number.isFinite),
);

/** As bits, since NaN and -0 are to be told apart from what they equal. */
const bitsOf = (column: Float64Array) => [...new BigUint64Array(Float64Array.from(column).buffer)];

describe("a column of numbers", () => {
  it.each([
    ["on a grid or not", encodeGrid],
    ["by its bits", encodeBits],
  ])("comes back bit for bit, %s", (_, encode) => {
    const column = fc.oneof(fc.array(anyNumber), fc.array(anyStep), fc.array(anyTime));
    fc.assert(
      fc.property(column, fc.boolean(), (numbers, compress) => {
        const original = Float64Array.from(numbers);
        const decoded = decodeColumn(encode(original, compress), numbers.length);
        expect(bitsOf(decoded)).toEqual(bitsOf(original));
      }),
    );
  });

  it("of steps one after the other, or times of a clock, takes hardly a byte or two each", () => {
    const steps = Float64Array.from({ length: 4_096 }, (_, index) => index * 10 - 7);
    expect(encodeGrid(steps, true).length).toBeLessThan(64);
    const times = Float64Array.from({ length: 4_096 }, (_, index) => (1_700_000_000 + index * 0.05) * 1e3);
    expect(encodeGrid(times, true).length / times.length).toBeLessThan(2.5);
  });

  it("of times that ranks read from a clock, in fractions of a millisecond, takes less than three bytes each", () => {
    const jitter = (index: number) => ((index * 7_919) % 200) / 1e6;
    const times = Float64Array.from(
      { length: 1_000 },
      (_, index) => (1_795_000_000 + index * 0.05 + jitter(index)) * 1e3,
    );
    expect(encodeGrid(times, false).length / times.length).toBeLessThan(3);
  });

  it("is read that an earlier version put on a fine grid from zero", () => {
    expect([...decodeColumn(Uint8Array.of(0x13, 0x80, 0x20, 0x80, 0x20), 2)]).toEqual([0.5, 1.5]);
  });

  it("is refused when bytes are missing", () => {
    const fine = encodeGrid(Float64Array.of(1.5, 2.25, 9), false);
    for (let length = 1; length < fine.length; length++)
      expect(() => decodeColumn(fine.subarray(0, length), 3), String(length)).toThrow(RangeError);
    expect(() => decodeColumn(encodeBits(Float64Array.of(1, 2, 3), false).subarray(0, 20), 3)).toThrow(
      RangeError,
    );
    expect(() => decodeColumn(encodeGrid(Float64Array.of(1, 2, 3), false), 2)).toThrow(RangeError);
  });
});

const segments = fc
  .array(fc.array(fc.tuple(anyStep, anyTime, anyNumber), { minLength: 1, maxLength: 300 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((series) =>
    series.map(
      (points, index): MetricSegment => ({
        key: `key ${index}`,
        steps: Float64Array.from(points, ([step]) => step),
        timesMs: Float64Array.from(points, ([, time]) => time),
        values: Float64Array.from(points, ([, , value]) => value),
        offsets: Float64Array.from(points, (_, at) => at * 40),
      }),
    ),
  );

describe("a chunk", () => {
  it("gives its segments back, one or many, all or only those wanted", () => {
    fc.assert(
      fc.property(segments, (all) => {
        const keys = all.map(({ key }) => key);
        const counts = all.map(({ values }) => values.length);
        const bytes = encodeSegments(all);
        const decoded = decodeSegments(bytes, keys, counts);
        for (const [index, segment] of all.entries()) {
          for (const column of ["steps", "timesMs", "values", "offsets"] as const) {
            expect(bitsOf(decoded[index]?.[column] ?? new Float64Array())).toEqual(bitsOf(segment[column]));
          }
        }
        const wanted = new Set(keys.slice(1, 2));
        expect(decodeSegments(bytes, keys, counts, wanted).map(({ key }) => key)).toEqual([...wanted]);
      }),
    );
  });

  it("gives the statistics of its blocks back", () => {
    fc.assert(
      fc.property(segments, ([segment]) => {
        if (segment === undefined) return;
        const blocks = blockStatistics(segment);
        expect(blocks.length).toBe(Math.ceil(segment.values.length / BLOCK_POINTS));
        expect(decodeStatistics(encodeStatistics(blocks), blocks.length)).toEqual(blocks);
      }),
    );
  });
});
