import { describe, expect, it } from "vitest";
import { type Hole, logHoles } from "./log-holes.ts";
import { leftOut } from "./log-limit.ts";

const MiB = 1024 * 1024;

describe("what of an output is freed", () => {
  it("is nothing of a short one", () => {
    expect(logHoles({ stored: 4 * MiB, position: 4 * MiB, size: 5 * MiB })).toEqual([]);
  });

  it("is what is stored, and never what is only published", () => {
    expect(logHoles({ stored: 20 * MiB, position: 30 * MiB, size: 31 * MiB })).toEqual([
      { begin: 0, end: 20 * MiB },
    ]);
    expect(logHoles({ stored: 30 * MiB, position: 20 * MiB, size: 31 * MiB })).toEqual([
      { begin: 0, end: 20 * MiB },
    ]);
  });

  it("is the middle, when nothing can be shipped", () => {
    expect(logHoles({ stored: 0, position: 2 * MiB, size: 100 * MiB })).toEqual([
      { begin: 9 * MiB, end: 96 * MiB },
    ]);
  });

  it("is never what is shipped afterwards, however the output has grown meanwhile", () => {
    for (let position = 0; position <= 40 * MiB; position += MiB / 2) {
      for (let size = position; size <= 80 * MiB; size += 3 * MiB) {
        for (const hole of logHoles({ stored: 0, position, size }))
          for (const grown of [0, 1, 5 * MiB, 200 * MiB])
            expect(shipped(position, size + grown).filter((range) => overlap(range, hole))).toEqual([]);
      }
    }
  });
});

const overlap = (a: Hole, b: Hole) => a.begin < b.end && b.begin < a.end;

/** The ranges that a pump ships in batches from there, when the output grows no further. */
function shipped(from: number, size: number): Hole[] {
  const ranges: Hole[] = [];
  for (let position = from; position < size; ) {
    const skipped = leftOut({ position, size });
    const next = skipped > 0 ? skipped : Math.min(64 * 1024, size - position);
    if (skipped === 0) ranges.push({ begin: position, end: position + next });
    position += next;
  }
  return ranges;
}
