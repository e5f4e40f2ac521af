import { expect, it } from "vitest";
import { roomAfterCount } from "./run-room.ts";

it.each([
  [0, 1_000_000, 124_999],
  [999_000, 1_000_000, 124],
  [999_992, 1_000_000, 0],
  [1_000_000, 1_000_000, 0],
])("after %d of %d runs, counts again after %d more", (count, maximum, room) => {
  expect(roomAfterCount(count, maximum)).toBe(room);
  expect(count + 8 * (room + 1)).toBeLessThanOrEqual(Math.max(maximum, count + 8));
});
