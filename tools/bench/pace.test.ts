import { expect, it } from "vitest";
import { slowedShare } from "./pace.ts";

it("tells in which part of the time the machine was far slower than mostly", () => {
  expect(slowedShare([])).toBe(0);
  expect(slowedShare([100, 100, 100])).toBe(0);
  expect(slowedShare([100, 59, 100, 10, 61, 100, 100, 100])).toBe(0.25);
});
