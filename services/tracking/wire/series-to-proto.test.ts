import { fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import fc from "fast-check";
import { expect, it } from "vitest";
import { pointsSeriesToProto } from "./series-to-proto.ts";

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

it("gives the same points in bytes as in a message's arrays, whatever they are", () => {
  fc.assert(
    fc.property(points, fc.nat(300), (list, left) => {
      const column = (at: 0 | 1 | 2) => Float64Array.from(list, (point) => point[at]);
      const columns = { steps: column(0), timesMs: column(1), values: column(2) };
      const as = (isBinary: boolean) =>
        pointsSeriesToProto("run", "loss", columns, { left, limit: 300, isBinary });
      const [bytes, plain] = [as(true), as(false)];
      expect(bytes.count).toBe(plain.count);
      const sent = toBinary(tracking.SeriesSchema, bytes.series);
      expect(fromBinary(tracking.SeriesSchema, sent)).toEqual(plain.series);
      expect(plain.series.points?.values).toHaveLength(plain.count);
    }),
  );
});

it("is as JSON what it is in bytes", () => {
  const columns = {
    steps: Float64Array.of(-3, 2 ** 40),
    timesMs: Float64Array.of(1, 2),
    values: Float64Array.of(Number.NaN, 0.5),
  };
  const { series } = pointsSeriesToProto("run", "loss", columns, { left: 9, limit: 9, isBinary: false });
  expect(toJson(tracking.SeriesSchema, series)).toEqual({
    runId: "run",
    key: "loss",
    points: { steps: ["-3", "1099511627776"], timesMs: [1, 2], values: ["NaN", 0.5] },
  });
});
