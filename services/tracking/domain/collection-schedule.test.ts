import { describe, expect, it } from "vitest";
import { collectionDue } from "./collection-schedule.ts";

const schedule = { everyMs: 1_000, retryMs: 10 };
const at = (ms: number) => new Date(ms);

describe("a collection is due", () => {
  it.each([
    ["one interval after the last one ended", 50, 70, 1_070],
    ["one interval after the platform began", 70, 70, 1_070],
    ["soon after one that began and never ended", 2_000, 1_000, 2_010],
  ])("%s", (_when, began, ended, due) => {
    expect(collectionDue({ beganAt: at(began), endedAt: at(ended) }, schedule)).toEqual(at(due));
  });
});
