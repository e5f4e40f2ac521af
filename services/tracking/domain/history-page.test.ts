import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareByStep, firstPage, type HistoryPosition, isFrom } from "./history-page.ts";
import type { MetricPoint } from "./metric-point.ts";

const points = fc.array(
  fc.record({
    key: fc.constantFrom("a", "b"),
    step: fc.integer({ min: -2, max: 4 }),
    value: fc.double({ noNaN: true }),
    timeMs: fc.nat({ max: 2 }),
    rank: fc.nat({ max: 1 }),
    attempt: fc.constant(1),
  }),
);

describe("pages of a history", () => {
  it("have together every point once, by step, however large they are and however many points are equal", () => {
    fc.assert(
      fc.property(
        points,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 40 }),
        (all, size, bytes) => {
          const seen: MetricPoint[] = [];
          let position: HistoryPosition | undefined;
          for (let page = 0; page <= all.length; page++) {
            const from = all.filter((point) => isFrom(position, point));
            const { points: shown, next } = firstPage(from, position, {
              points: size,
              bytes,
              bytesOf: () => 10,
            });
            expect(shown.length).toBeLessThanOrEqual(size);
            seen.push(...shown.toSorted(compareByStep));
            position = next;
            if (next === undefined) break;
          }
          expect(seen).toEqual(all.toSorted(compareByStep));
        },
      ),
    );
  });
});
