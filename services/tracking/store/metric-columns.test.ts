import fc from "fast-check";
import { expect, it } from "vitest";
import type { MetricBatch } from "../domain/metric-batch.ts";
import { packColumns, unpackColumns, unpackPlainColumns } from "./metric-columns.ts";

const begin = 4_096;

const batches = fc
  .array(
    fc.record({
      step: fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constant(-0)),
      time: fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: 0, max: 2 ** 42 })),
      value: fc.double(),
      gap: fc.nat(2 ** 20),
      key: fc.nat(65_535),
    }),
    { maxLength: 50 },
  )
  .map((points): MetricBatch => {
    let at = begin;
    return {
      begin,
      end: begin + 2 ** 27,
      keys: [],
      steps: Float64Array.from(points, ({ step }) => step),
      timesMs: Float64Array.from(points, ({ time }) => time),
      values: Float64Array.from(points, ({ value }) => value),
      offsets: Float64Array.from(points, ({ gap }) => (at += gap)),
      keyIndex: Uint16Array.from(points, ({ key }) => key),
    };
  });

const bits = (column: Float64Array) => [...new BigUint64Array(Float64Array.from(column).buffer)];

function expectSame(read: ReturnType<typeof unpackColumns>, batch: MetricBatch): void {
  for (const name of ["steps", "timesMs", "values", "offsets"] as const)
    expect(bits(read[name]), name).toEqual(bits(batch[name]));
  expect(read.keyIndex).toEqual(batch.keyIndex);
}

it("gives back every number, to the bit", () => {
  fc.assert(
    fc.property(batches, (batch) => {
      expectSame(unpackColumns(packColumns(batch), batch.values.length, begin), batch);
    }),
  );
});

it.each([
  ["whole milliseconds", (at: number) => at, 12.5],
  ["fractions of them", (at: number) => at * 10 + ((at * 7_919) % 500) / 1_000, 14],
])("takes some 12 bytes for a point of regular steps and times in %s", (_times, sinceMs, most) => {
  const count = 1_000;
  const column = (of: (index: number) => number) => Float64Array.from({ length: count }, (_, at) => of(at));
  const batch: MetricBatch = {
    begin: 0,
    end: 0,
    keys: [],
    steps: column((at) => Math.floor(at / 10)),
    timesMs: column((at) => 1_795_000_000_000 + sinceMs(at)),
    values: column((at) => at * 0.37),
    offsets: column(() => 0),
    keyIndex: Uint16Array.from({ length: count }, (_, at) => at % 10),
  };
  expect(packColumns(batch).length / count).toBeLessThan(most);
});

it("reads what an earlier version has packed, and refuses bytes that are not as many points", () => {
  fc.assert(
    fc.property(batches, (batch) => {
      const { steps, timesMs, values, offsets, keyIndex } = batch;
      const relative = Uint32Array.from(offsets, (offset) => offset - begin);
      const columns = [steps, timesMs, values, relative, keyIndex];
      const plain = Buffer.concat(columns.map(({ buffer }) => new Uint8Array(buffer)));
      expectSame(unpackPlainColumns(plain, values.length, begin), batch);
      expect(() => unpackPlainColumns(plain, values.length + 1, begin)).toThrow(RangeError);
      expect(() => unpackColumns(packColumns(batch), values.length + 1, begin)).toThrow(RangeError);
    }),
  );
});
