import { describe, expect, it } from "vitest";
import { candidateQuery, wholeCandidates } from "./candidates.ts";
import { parseFilter } from "./parse-filter.ts";
import { parseOrder } from "./parse-order.ts";
import type { Search } from "./plan.ts";
import { runVocabulary } from "./vocabulary.ts";

const options = { vocabulary: runVocabulary };
const query = (filter: string, order: string, after?: Search["after"]) =>
  candidateQuery({
    things: "runs",
    scope: {},
    metricScope: { experimentId: "e" },
    comparisons: parseFilter(filter, options),
    order: parseOrder([order], options),
    limit: 10,
    ...(after === undefined ? {} : { after }),
  });

describe("the candidates of a search", () => {
  it("are the best of the metric that comes first, that pass what is asked of it", () => {
    const numbers = { min: { $gte: Number.NEGATIVE_INFINITY } };
    expect(query("metrics.a.max > 2 AND params.p = 'x' AND metrics.b = 1", "metrics.a.min DESC")).toEqual({
      match: { $and: [{ experimentId: "e" }, { key: "a" }, numbers, { max: { $gt: 2 } }] },
      aggregate: "min",
      direction: -1,
    });
    expect(query("", "metrics.a.min", { places: [[0, "-Infinity"]], id: "r" })?.match).toEqual({
      $and: [{ experimentId: "e" }, { key: "a" }, numbers, { min: { $gte: Number.NEGATIVE_INFINITY } }],
    });
  });

  it.each<[string, string, string, Search["after"]?]>([
    ["an order that begins with something else", "", "params.p"],
    ["runs without the metric", "metrics.a IS NULL", "metrics.a"],
    ["a page past the numbers", "", "metrics.a", { places: [[1, null]], id: "r" }],
  ])("are not asked for with %s", (_, filter, order, after) => {
    expect(query(filter, order, after)).toBeUndefined();
  });

  it("leave out those whose equals were not all read", () => {
    const rows = [1, 2, 2, 3].map((value, n) => ({ runId: `r${n}`, value }));
    expect(wholeCandidates(rows, 4)).toEqual(["r0", "r1", "r2", "r3"]);
    expect(wholeCandidates(rows, 3)).toEqual(["r0", "r1", "r2"]);
    expect(wholeCandidates(rows.slice(0, 3), 2)).toEqual(["r0"]);
  });
});
