import { describe, expect, it } from "vitest";
import { type CacheEntry, type CacheRoom, entriesToEvict } from "./cache-eviction.ts";

const entry = (path: string, bytes: number, usedAtMs: number, inUse = false): CacheEntry => ({
  path,
  bytes,
  usedAtMs,
  inUse,
});
const room = (changes: Partial<CacheRoom>): CacheRoom => ({
  limitBytes: 1_000,
  freeBytes: 1_000,
  reserveBytes: 100,
  ...changes,
});

describe("which entries of a cache are deleted", () => {
  const old = entry("old", 40, 1);
  const middle = entry("middle", 40, 2);
  const recent = entry("recent", 40, 3);
  const all = [recent, old, middle];

  it.each<[string, readonly CacheEntry[], CacheRoom, readonly string[]]>([
    ["nothing while there is room", all, room({}), []],
    ["nothing at exactly the limit", all, room({ limitBytes: 120 }), []],
    ["the least recently used first", all, room({ limitBytes: 100 }), ["old"]],
    ["as many as it takes", all, room({ limitBytes: 50 }), ["old", "middle"]],
    ["what the disk's reserve takes, within the limit", all, room({ freeBytes: 30 }), ["old", "middle"]],
    [
      "never what is in use",
      [entry("held", 40, 0, true), ...all],
      room({ limitBytes: 0 }),
      ["old", "middle", "recent"],
    ],
    ["more for what is in use", [entry("held", 90, 0, true), old], room({ limitBytes: 100 }), ["old"]],
    ["nothing of an empty cache", [], room({ freeBytes: 0 }), []],
  ])("%s", (_, entries, of, expected) => {
    expect(entriesToEvict(entries, of).map(({ path }) => path)).toEqual(expected);
  });
});
