/**
 * Which runs an order by a metric begins with. Most pages need the best few of very many runs, so the rows of that metric
 * are read from its index, best first, and everything else is asked of their runs only, some at a time, until the page is
 * full. Whoever comes later in the index comes later in the order: pages that are put together so are those that all runs
 * would make.
 */
import type { Aggregate } from "./comparison.ts";
import { type Condition, valueTest } from "./compile.ts";
import { type MetricRow, plainPath, type Search } from "./plan.ts";

/** The metric that an order begins with, and what of its rows a search needs. */
export interface FirstMetric {
  readonly key: string;
  readonly aggregate: Aggregate;
  readonly direction: 1 | -1;
  /** All aggregates of it that the order names. */
  readonly aggregates: readonly Aggregate[];
  /** What a row has to pass. */
  readonly passing: readonly Condition[];
  /** Whether runs without a row can be found. */
  readonly optional: boolean;
}

/** Runs that equal each other in the first column: by its number, by NaN, or because they have none. */
export type Equals = number | "none";

/**
 * Rows read for each row of the page, first and then: more where other columns may let only some of them pass. More than
 * are looked at first cost the database their order, and are read for nothing.
 */
const ROWS_PER_PAGE_ROW = { all: [1.5, 8, 32], some: [6, 48] } as const;
/** Some more are looked at than are likely to do: one look is cheaper than two. */
const MARGIN = 1.25;

/** How many rows to read, first and then. */
export function rowCounts({ comparisons, limit }: Pick<Search, "comparisons" | "limit">): readonly number[] {
  return ROWS_PER_PAGE_ROW[comparisons.length === 0 ? "all" : "some"].map((each) => Math.ceil(each * limit));
}

/** How many runs to look at next for so many missing ones, after so many of which so many were found. */
export function nextLook(missing: number, looked: number, found: number): number {
  const each = looked === 0 ? 1 : looked / Math.max(1, found);
  return Math.ceil(missing * each * MARGIN) + 1;
}

/** `undefined` for an order that begins with something else, or where runs are asked for that lack the metric. */
export function firstMetric({ order, comparisons }: Search): FirstMetric | undefined {
  const [first] = order;
  if (first?.column.kind !== "metric") return undefined;
  const { key, aggregate } = first.column;
  const passing: Condition[] = [];
  let optional = true;
  for (const { column, test } of comparisons) {
    if (column.kind !== "metric" || column.key !== key) continue;
    if (test.is === "null") return undefined;
    optional = false;
    if (test.is !== "not null") passing.push({ [column.aggregate]: valueTest(test) });
  }
  const named = order.flatMap(({ column }) =>
    column.kind === "metric" && column.key === key ? [column.aggregate] : [],
  );
  return { key, aggregate, direction: first.descending ? -1 : 1, aggregates: named, passing, optional };
}

/** The rows that have a number, from this one on. NaN, which comes after every number, passes no comparison. */
export function numbersFrom(
  { aggregate, direction }: FirstMetric,
  reached: number | undefined,
): readonly Condition[] {
  const numbers = { [aggregate]: { $gte: Number.NEGATIVE_INFINITY } };
  if (reached === undefined) return [numbers];
  return [numbers, { [aggregate]: { [direction === 1 ? "$gte" : "$lte"]: reached } }];
}

/** Rows in the order of their numbers: those that are there with all their equals, as of `count + 1` that were read. */
export function wholeRows(
  { aggregate }: Pick<FirstMetric, "aggregate">,
  rows: readonly MetricRow[],
  count: number,
): readonly MetricRow[] {
  const beyond = rows.length > count ? rows.at(-1)?.values[aggregate] : undefined;
  return rows.filter(({ values }) => values[aggregate] !== beyond);
}

/** The end of a look that begins with so many rows: equals stay together, since other columns decide between them. */
export function lookEnd(
  { aggregate }: Pick<FirstMetric, "aggregate">,
  rows: readonly MetricRow[],
  at: number,
): number {
  let end = Math.min(at, rows.length);
  while (end < rows.length && rows[end]?.values[aggregate] === rows[end - 1]?.values[aggregate]) end += 1;
  return end;
}

/**
 * The search for runs as the order has those that are equal in the first column, whoever they are: without anything about
 * metrics. `undefined` where no index gives that order.
 */
export function equalsSearch(search: Search, equals: Equals): Search | undefined {
  const { after, among: _, ...rest } = search;
  const order = search.order.slice(1);
  if (!order.every(({ column }) => plainPath(search.things, column) !== undefined)) return undefined;
  const comparisons = search.comparisons.filter(({ column }) => column.kind !== "metric");
  const [rank, value] = after?.places[0] ?? [];
  const begun = equals === "none" ? rank === 2 : rank === 0 ? Number(value) === equals : false;
  return {
    ...rest,
    order,
    comparisons,
    ...(after === undefined || !begun ? {} : { after: { places: after.places.slice(1), id: after.id } }),
  };
}
