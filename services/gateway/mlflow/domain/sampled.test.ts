import { describe, expect, it } from "vitest";
import { sampled } from "./sampled.ts";

const points = (count: number) =>
  Array.from({ length: count }, (_, step) => ({ step, timestamp: 1_000 - step, value: step }));

describe("a sample of a history", () => {
  it.each([
    ["is all of it where that is no more", 3, 5, [0, 1, 2]],
    ["is the last of it where one is wanted", 5, 1, [4]],
    ["is the first of each part, and the last", 10, 5, [0, 2, 4, 6, 9]],
    ["has larger parts first", 11, 4, [0, 3, 6, 10]],
    ["is nothing of nothing", 0, 4, []],
  ])("%s", (_what, count, wanted, steps) =>
    expect(sampled(points(count).toReversed(), wanted).map(({ step }) => step)).toEqual(steps),
  );
});
