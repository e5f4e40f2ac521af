import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type PointsForm, pointsSeriesToProto } from "./series-to-proto.ts";

const MOST = Number.MAX_SAFE_INTEGER;
const EDGES = [
  0,
  1,
  -1,
  63,
  64,
  -64,
  -65,
  8_191,
  8_192,
  2 ** 31,
  -(2 ** 31),
  2 ** 52,
  -(2 ** 52) - 1,
  MOST,
  -MOST,
];

const steps = fc.oneof(fc.constantFrom(...EDGES), fc.integer({ min: -MOST, max: MOST }), fc.nat(300));
const points = fc.array(fc.tuple(steps, fc.double(), fc.double()), { maxLength: 300 });

function plainOf({ points }: tracking.Series) {
  const { steps = [], timesMs = [], values = [] } = points ?? {};
  return { steps: [...steps], timesMs: [...timesMs], values: [...values] };
}

it("gives the same points in bytes as in a message's arrays, whatever they are", () => {
  fc.assert(
    fc.property(points, fc.nat(300), (list, left) => {
      const column = (at: 0 | 1 | 2) => Float64Array.from(list, (point) => point[at]);
      const columns = { steps: column(0), timesMs: column(1), values: column(2) };
      const as = (form: PointsForm) =>
        pointsSeriesToProto("run", "loss", columns, { left, limit: 300, form });
      const [bytes, plain] = [as("packed lists"), as("lists")];
      expect(bytes.count).toBe(plain.count);
      const sent = toBinary(tracking.SeriesSchema, bytes.series);
      expect(fromBinary(tracking.SeriesSchema, sent)).toEqual(plain.series);
      expect(plain.series.points?.values).toHaveLength(plain.count);
      const { series, count } = as("columns");
      const read = fromBinary(tracking.SeriesSchema, toBinary(tracking.SeriesSchema, series));
      const { steps, timesMs, values } = read.columns ?? create(tracking.SeriesColumnsSchema);
      expect({
        steps: [...new BigInt64Array(steps.slice().buffer)],
        timesMs: [...new Float64Array(timesMs.slice().buffer)],
        values: [...new Float64Array(values.slice().buffer)],
      }).toEqual(plainOf(plain.series));
      expect([count, read.nextStep, read.truncated]).toEqual([
        plain.count,
        plain.series.nextStep,
        plain.series.truncated,
      ]);
    }),
  );
});

it("is as JSON what it is in bytes", () => {
  const columns = {
    steps: Float64Array.of(-3, 2 ** 40),
    timesMs: Float64Array.of(1, 2),
    values: Float64Array.of(Number.NaN, 0.5),
  };
  const { series } = pointsSeriesToProto("run", "loss", columns, { left: 9, limit: 9, form: "lists" });
  expect(toJson(tracking.SeriesSchema, series)).toEqual({
    runId: "run",
    key: "loss",
    points: { steps: ["-3", "1099511627776"], timesMs: [1, 2], values: ["NaN", 0.5] },
  });
});
