import { expect, it } from "vitest";
import { createLately } from "./lately.ts";

it("knows what was noted for so long after the last time, and since when, until a lapse", () => {
  let now = 1_000;
  const lately = createLately(100, () => now);
  expect(lately.has("a")).toBe(false);
  expect(lately.note("a")).toBe(0);
  now += 60;
  expect(lately.note("b")).toBe(0);
  expect(lately.note("a")).toBe(60);
  now += 99;
  expect([lately.has("a"), lately.has("b"), lately.has("c")]).toEqual([true, true, false]);
  expect(lately.note("a")).toBe(159);
  now += 100;
  expect(lately.has("a")).toBe(false);
  expect(lately.note("a")).toBe(0);
});
