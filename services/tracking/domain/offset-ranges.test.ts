import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addRange,
  contiguousEnd,
  missingIn,
  newSince,
  type OffsetRange,
  type OffsetRanges,
} from "./offset-ranges.ts";

const range = (begin: number, end: number): OffsetRange => ({ begin, end });
const anyRange = fc
  .tuple(fc.nat({ max: 60 }), fc.nat({ max: 12 }))
  .map(([begin, length]) => range(begin, begin + length));

/** The plain model: the set of single offsets. */
function offsetsOf(ranges: OffsetRanges): Set<number> {
  const offsets = new Set<number>();
  for (const { begin, end } of ranges) for (let at = begin; at < end; at++) offsets.add(at);
  return offsets;
}

function build(ranges: OffsetRanges): OffsetRanges {
  return ranges.reduce(addRange, [] as OffsetRanges);
}

describe("offset ranges", () => {
  it.each([
    ["joins what touches", [range(0, 5), range(5, 9)], [range(0, 9)]],
    ["keeps a gap", [range(6, 9), range(0, 5)], [range(0, 5), range(6, 9)]],
    ["swallows what it covers", [range(1, 2), range(4, 5), range(0, 9)], [range(0, 9)]],
    ["ignores an empty range", [range(3, 3)], []],
  ])("%s", (_, added, expected) => {
    expect(build(added)).toEqual(expected);
  });

  it("ends where the first gap begins", () => {
    expect(contiguousEnd([])).toBe(0);
    expect(contiguousEnd([range(3, 9)])).toBe(0);
    expect(contiguousEnd([range(0, 4), range(5, 9)])).toBe(4);
  });

  it("agrees with a set of offsets, whatever is added in whatever order", () => {
    fc.assert(
      fc.property(fc.array(anyRange), anyRange, (added, asked) => {
        const ranges = build(added);
        const model = offsetsOf(added);
        expect(offsetsOf(ranges)).toEqual(model);
        for (const [index, { begin, end }] of ranges.entries()) {
          expect(end).toBeGreaterThan(begin);
          expect(begin).toBeGreaterThan(ranges[index - 1]?.end ?? -1);
        }
        const missing = [...offsetsOf([asked])].filter((at) => !model.has(at));
        expect([...offsetsOf(missingIn(ranges, asked))]).toEqual(missing);
      }),
    );
  });

  it("tells what was stored since", () => {
    fc.assert(
      fc.property(fc.array(anyRange), fc.array(anyRange), (first, more) => {
        const known = build(first);
        const now = build([...first, ...more]);
        const fresh = offsetsOf(newSince(known, now));
        expect(fresh).toEqual(new Set([...offsetsOf(now)].filter((at) => !offsetsOf(known).has(at))));
      }),
    );
  });
});
