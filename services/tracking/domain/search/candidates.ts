/**
 * Which runs an order by a metric can begin with. Most pages need the best few of very many runs, so those are taken from
 * the index of that metric first, and everything else is asked of them only. Whoever is not among them has a worse value
 * than each of them: a page that they fill is the page that all runs would make.
 */
import type { Condition } from "./compile.ts";
import { valueTest } from "./compile.ts";
import type { Search } from "./plan.ts";

/** Rows of one metric, in the order of one of its aggregates. */
export interface CandidateQuery {
  readonly match: Condition;
  readonly aggregate: string;
  readonly direction: 1 | -1;
}

/** Runs asked for each row of the page, first and then: more where other columns may let only some of them pass. */
const CANDIDATES_PER_ROW = { all: [4, 32], some: [12, 48] } as const;

/** How many to ask, first and then. */
export function candidateCounts({
  comparisons,
  limit,
}: Pick<Search, "comparisons" | "limit">): readonly number[] {
  return CANDIDATES_PER_ROW[comparisons.length === 0 ? "all" : "some"].map((each) => each * limit);
}

/** The rows to take candidates from; `undefined` for an order that begins with no metric, or a page past all its numbers. */
export function candidateQuery({
  order,
  comparisons,
  metricScope,
  after,
}: Search): CandidateQuery | undefined {
  const [first] = order;
  if (first?.column.kind !== "metric") return undefined;
  const { key, aggregate } = first.column;
  const [rank, value] = after?.places[0] ?? [0, null];
  if (rank !== 0) return undefined;
  const tested: Condition[] = [];
  for (const { column, test } of comparisons) {
    if (column.kind !== "metric" || column.key !== key) continue;
    if (test.is === "null") return undefined;
    if (test.is !== "not null") tested.push({ [column.aggregate]: valueTest(test) });
  }
  const beyond = first.descending ? "$lte" : "$gte";
  const reached = value === null ? [] : [{ [aggregate]: { [beyond]: Number(value) } }];
  // NaN, which comes after every number, passes no comparison.
  const numbers = { [aggregate]: { $gte: Number.NEGATIVE_INFINITY } };
  return {
    match: { $and: [metricScope, { key }, numbers, ...tested, ...reached] },
    aggregate,
    direction: first.descending ? -1 : 1,
  };
}

/**
 * The runs of the rows that are there with all their equals: of `count + 1` rows that were read, not those that equal the
 * last one, since other columns decide between equals.
 */
export function wholeCandidates(
  rows: readonly { readonly runId: string; readonly value: number }[],
  count: number,
): readonly string[] {
  const beyond = rows.length > count ? rows.at(-1)?.value : undefined;
  return rows.filter(({ value }) => value !== beyond).map(({ runId }) => runId);
}
