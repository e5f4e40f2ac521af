import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { largestRemainder } from "./largest-remainder.ts";
import { MAX_SHARDS, planShards, planSplits } from "./plan-splits.ts";

const weights = fc.array(fc.bigInt({ min: 0n, max: 1_000_000_000n }), { minLength: 1, maxLength: 12 });
const strata = fc.array(fc.nat({ max: 5_000 }), { minLength: 1, maxLength: 40 });
const names = ["train", "validation", "test", "holdout", "a"];
/** Fractions in whole thousandths that sum to 1. */
const fractions = fc
  .array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 5 })
  .map((parts) => largestRemainder(1_000, parts.map(BigInt)))
  .filter((parts) => parts.every((part) => part > 0))
  .map((parts) => Object.fromEntries(parts.map((part, index) => [names[index] ?? "", part / 1_000])));

describe("largestRemainder", () => {
  it("shares out exactly, every share its quota rounded down or up", () => {
    fc.assert(
      fc.property(fc.nat(), weights, (total, given) => {
        const sum = given.reduce((a, b) => a + b, 0n);
        fc.pre(sum > 0n);
        const shares = largestRemainder(total, given);
        expect(shares.reduce((a, b) => a + b, 0)).toBe(total);
        given.forEach((weight, index) => {
          const floor = (BigInt(total) * weight) / sum;
          expect([floor, floor + 1n]).toContain(BigInt(shares[index] ?? -1));
        });
      }),
    );
  });

  it.each([
    ["gives the largest remainder the row that is left", 10, [70n, 15n, 15n], [7, 2, 1]],
    ["has no rounding error where fractions have one", 100, [29n, 71n], [29, 71]],
    ["gives a weight of 0 nothing", 5, [0n, 1n], [0, 5]],
    ["shares nothing out by no weights", 0, [0n, 0n], [0, 0]],
  ])("%s", (_what, total, given, expected) => {
    expect(largestRemainder(total, given)).toEqual(expected);
  });

  it("refuses to share something out by nothing", () => {
    expect(() => largestRemainder(1, [0n])).toThrow(RangeError);
  });
});

describe("planSplits", () => {
  it("puts every row of every stratum into exactly one split, and the sizes are the largest remainder's", () => {
    fc.assert(
      fc.property(fractions, strata, (given, rows) => {
        const { splits, stretches } = planSplits(given, rows);
        rows.forEach((count, stratum) => {
          const own = stretches.filter((one) => one.stratum === stratum).sort((a, b) => a.from - b.from);
          let at = 0;
          for (const { from, to } of own) {
            expect(from).toBe(at);
            expect(to).toBeGreaterThan(from);
            at = to;
          }
          expect(at).toBe(count);
        });
        const total = rows.reduce((a, b) => a + b, 0);
        splits.forEach(({ name, rows: size }, index) => {
          const inStretches = stretches.filter(({ split }) => split === index);
          expect(inStretches.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(size);
          expect(Math.abs(size - total * (given[name] ?? 0))).toBeLessThan(1);
        });
      }),
    );
  });

  it("spreads every split over the strata in proportion, to within a row per split", () => {
    fc.assert(
      fc.property(fractions, strata, (given, rows) => {
        const { splits, stretches } = planSplits(given, rows);
        for (const { stratum, split, from, to } of stretches) {
          const quota = (rows[stratum] ?? 0) * (given[splits[split]?.name ?? ""] ?? 0);
          expect(Math.abs(to - from - quota)).toBeLessThan(splits.length + 1);
        }
      }),
    );
  });

  it("depends on the fractions by name, not on the order in which they are written", () => {
    const one = planSplits({ train: 0.5, test: 0.5 }, [3]);
    const two = planSplits({ test: 0.5, train: 0.5 }, [3]);
    expect(Object.fromEntries(one.splits.map(({ name, rows }) => [name, rows]))).toEqual(
      Object.fromEntries(two.splits.map(({ name, rows }) => [name, rows])),
    );
  });
});

describe("planShards", () => {
  it("makes shards that differ by a row at most and hold every row", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.option(fc.integer({ min: 1, max: MAX_SHARDS }), { nil: undefined }),
        (rows, wanted) => {
          const sizes = planShards(rows, wanted);
          expect(sizes.reduce((a, b) => a + b, 0)).toBe(rows);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          expect(sizes.length).toBeLessThanOrEqual(MAX_SHARDS);
        },
      ),
    );
  });

  it.each([
    ["an empty split has one empty shard", 0, undefined, [0]],
    ["65,536 rows are one shard", 65_536, undefined, [65_536]],
    ["one row more are two", 65_537, undefined, [32_769, 32_768]],
    ["a contract's number of shards counts", 10, 3, [4, 3, 3]],
    ["no shard is empty where there are rows", 2, 3, [1, 1]],
  ])("%s", (_what, rows, wanted, expected) => {
    expect(planShards(rows, wanted)).toEqual(expected);
  });
});
