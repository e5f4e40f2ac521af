import { expect, it } from "vitest";
import { duration, secondsOf } from "./duration.ts";

it.each([
  ["90s", 90],
  ["15m", 900],
  ["2h", 7_200],
  ["1d", 86_400],
  [45, 45],
  [0, 0],
] as const)("takes %j as %d seconds", (text, seconds) => {
  expect(secondsOf(duration.parse(text))).toBe(seconds);
});

it.each(["", "15", "1.5h", "-1m", "m", -1, 1.5])("refuses %j", (text) => {
  expect(duration.safeParse(text).success).toBe(false);
});
