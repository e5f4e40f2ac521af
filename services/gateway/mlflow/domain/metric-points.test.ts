import { describe, expect, it } from "vitest";
import { columnsOf } from "./metric-points.ts";

const point = (key: string, step: number, value = 1) => ({ key, value, timestamp: 1_000, step });

describe("points of a batch", () => {
  it("are stored once each, under a dictionary of their keys", () => {
    const points = [
      point("a", 1),
      point("b", 1),
      point("a", 1),
      point("a", 1, Number.NaN),
      point("a", 1, Number.NaN),
    ];
    expect(columnsOf(points)).toEqual({
      keys: ["a", "b"],
      keyIndex: [0, 1, 0],
      steps: [1, 1, 1],
      timesMs: [1_000, 1_000, 1_000],
      values: [1, 1, Number.NaN],
    });
  });
});
