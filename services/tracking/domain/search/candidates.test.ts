import { describe, expect, it } from "vitest";
import { equalsSearch, firstMetric, lookEnd, nextLook, numbersFrom, wholeRows } from "./candidates.ts";
import { parseFilter } from "./parse-filter.ts";
import { parseOrder } from "./parse-order.ts";
import type { Search } from "./plan.ts";
import { runVocabulary } from "./vocabulary.ts";

const options = { vocabulary: runVocabulary };
const searchOf = (filter: string, order: readonly string[], after?: Search["after"]): Search => ({
  things: "runs",
  scope: {},
  metricScope: { experimentId: "e" },
  comparisons: parseFilter(filter, options),
  order: parseOrder(order, options),
  limit: 10,
  ...(after === undefined ? {} : { after }),
});
const rowsOf = (values: readonly number[]) => values.map((min, n) => ({ runId: `r${n}`, values: { min } }));
const by = { aggregate: "min" } as const;

describe("the metric that an order begins with", () => {
  it("is read for all of it that decides, of rows that pass what is asked of it", () => {
    const filter = "metrics.a.max > 2 AND params.p = 'x' AND metrics.b = 1 AND metrics.a IS NOT NULL";
    expect(firstMetric(searchOf(filter, ["metrics.a.min DESC", "metrics.b", "metrics.a.last"]))).toEqual({
      key: "a",
      aggregate: "min",
      direction: -1,
      aggregates: ["min", "last"],
      passing: [{ max: { $gt: 2 } }],
      optional: false,
    });
    expect(firstMetric(searchOf("metrics.b = 1", ["metrics.a"]))).toMatchObject({
      optional: true,
      passing: [],
    });
  });

  it.each<[string, string, readonly string[]]>([
    ["an order that begins with something else", "", ["params.p", "metrics.a"]],
    ["runs without the metric", "metrics.a IS NULL", ["metrics.a"]],
  ])("is of no use for %s", (_, filter, order) => {
    expect(firstMetric(searchOf(filter, order))).toBeUndefined();
  });

  it("is read from where the page begins", () => {
    const numbers = { min: { $gte: Number.NEGATIVE_INFINITY } };
    const up = firstMetric(searchOf("", ["metrics.a.min"]));
    const down = firstMetric(searchOf("", ["metrics.a.min DESC"]));
    if (up === undefined || down === undefined) throw new Error("it begins with a metric");
    expect(numbersFrom(up, undefined)).toEqual([numbers]);
    expect(numbersFrom(up, 3)).toEqual([numbers, { min: { $gte: 3 } }]);
    expect(numbersFrom(down, 3)).toEqual([numbers, { min: { $lte: 3 } }]);
  });
});

describe("rows that are looked at", () => {
  it("leave out those whose equals were not all read", () => {
    const rows = rowsOf([1, 2, 2, 3]);
    expect(wholeRows(by, rows, 4)).toEqual(rows);
    expect(wholeRows(by, rows, 3)).toEqual(rows.slice(0, 3));
    expect(wholeRows(by, rows.slice(0, 3), 2)).toEqual(rows.slice(0, 1));
  });

  it("end after the last one's equals", () => {
    const rows = rowsOf([1, 2, 2, 2, 3]);
    expect([1, 2, 3, 4, 5, 9].map((at) => lookEnd(by, rows, at))).toEqual([1, 4, 4, 4, 5, 5]);
  });

  it("are as many as are likely to do", () => {
    expect(nextLook(100, 0, 0)).toBe(126);
    expect(nextLook(60, 120, 40)).toBe(226);
    expect(nextLook(100, 100, 0)).toBe(12_501);
  });
});

describe("the search for equals", () => {
  const order = ["metrics.a", "start_time DESC"];

  it("has everything but metrics", () => {
    const search = equalsSearch(searchOf("metrics.a > 1 AND params.p = 'x' AND metrics.b < 1", order), 2);
    expect(search?.comparisons).toEqual(parseFilter("params.p = 'x'", options));
    expect(search?.order).toEqual(parseOrder(["start_time DESC"], options));
  });

  it.each<[string, Search["after"], number | "none", boolean]>([
    [
      "in the middle of them",
      {
        places: [
          [0, 2],
          [0, 7],
        ],
        id: "r",
      },
      2,
      true,
    ],
    [
      "in the middle of infinite ones",
      {
        places: [
          [0, "Infinity"],
          [0, 7],
        ],
        id: "r",
      },
      Number.POSITIVE_INFINITY,
      true,
    ],
    [
      "before them",
      {
        places: [
          [0, 1],
          [0, 7],
        ],
        id: "r",
      },
      2,
      false,
    ],
    [
      "among those that have none",
      {
        places: [
          [2, null],
          [0, 7],
        ],
        id: "r",
      },
      "none",
      true,
    ],
    [
      "before those that have none",
      {
        places: [
          [1, null],
          [0, 7],
        ],
        id: "r",
      },
      "none",
      false,
    ],
  ])("of a page that begins %s", (_, after, equals, begun) => {
    expect(equalsSearch(searchOf("", order, after), equals)?.after).toEqual(
      begun ? { places: [[0, 7]], id: "r" } : undefined,
    );
  });

  it("is not there where no index gives the order", () => {
    expect(equalsSearch(searchOf("", ["metrics.a", "params.p"]), 2)).toBeUndefined();
  });
});
