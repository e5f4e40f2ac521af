import { expect, it } from "vitest";
import { whyFree } from "./blob-verdict.ts";

const now = 1_000_000_000;
const hour = 3_600_000;

it.each([
  ["goes when nobody holds it and it is old", [], 25, true],
  ["stays while somebody holds it", ["run:default:run_1"], 25, false],
  ["stays while it is young", [], 23, false],
])("a blob %s", (_what, holders, hours, goes) => {
  const why = whyFree({ modifiedAt: now - hours * hour, holders }, 24 * hour, now);
  expect(why !== undefined).toBe(goes);
});
