/**
 * Plans a search as a MongoDB pipeline over runs (or experiments) that answers ids in order. Metrics lie in documents of
 * their own, one per run and key, so that a run may have thousands: those that a search names are joined by run, each
 * metric's range read from its index first. A run that has no such metric is a row without it.
 */
import {
  type Aggregate,
  type Column,
  type Comparison,
  columnId,
  type OrderKey,
  type Test,
} from "./comparison.ts";
import { type Condition, compileComparison, storedAttribute, valueTest } from "./compile.ts";

/** A stage of a pipeline. */
export type Stage = Readonly<Record<string, unknown>>;

/** The value of one order key in a row, as a page token holds it: its rank (0 a value, 1 NaN, 2 none), and the value. */
export type Place = readonly [rank: 0 | 1 | 2, value: string | number | null];

/** What was read of a metric: a run's numbers by aggregate. */
export interface MetricRow {
  readonly runId: string;
  readonly values: Readonly<Record<string, number>>;
}

/** Runs, and of one metric the rows that pass what is asked of it, as they were read before: those are not read again. */
export interface Among {
  readonly ids: readonly string[];
  readonly key: string;
  readonly rows: readonly MetricRow[];
}

/** A search, parsed. */
export interface Search {
  readonly things: "runs" | "experiments";
  /** What decides by itself which documents may be found: project, experiments, lifecycle. */
  readonly scope: Condition;
  /** Which summaries may be joined: their experiments. */
  readonly metricScope: Condition;
  /** Only these are looked at; absent means all. */
  readonly among?: Among;
  readonly comparisons: readonly Comparison[];
  /** With what decides between equals in the end. */
  readonly order: readonly OrderKey[];
  /** The last row of the page before. */
  readonly after?: { readonly places: readonly Place[]; readonly id: string };
  readonly limit: number;
}

/** Characters of a text that decide its place in an order; texts may be long, and a page token holds them. */
export const ORDERED_CHARACTERS = 256;

/** The collection that the metrics' summaries lie in, and the id of one. */
export const SUMMARIES = "metric_summaries";
export const summaryId = (runId: string, key: string) => `${runId}:${key}`;

interface MetricUse {
  readonly key: string;
  /** The aggregates that decide the order, by the field they become. */
  readonly columns: Map<string, Aggregate>;
  readonly tests: { readonly aggregate: Aggregate; readonly test: Test }[];
}

/** The pipeline: each row has `_id`, and of each order key n its value `v<n>`, and its rank `r<n>` unless that is 0. */
export function planSearch(search: Search): readonly Stage[] {
  const { things, order, limit } = search;
  const own = search.comparisons.filter(isOwn).map((each) => compileComparison(things, each));
  const metrics = metricUses(search);
  const among = search.among === undefined ? [] : [{ _id: { $in: [...search.among.ids] } }];
  const match = { $and: [...among, search.scope, ...own] };
  const plain = order.every((key) => plainPath(things, key.column) !== undefined);
  if (plain && metrics.length === 0) return plainPipeline(search, match);
  const ranked = order.map(({ column }) => plainPath(things, column) === undefined);
  const ranks = order.flatMap((key, n) => (ranked[n] ? [[`r${n}`, rankOf(key, n)]] : []));
  return [
    { $match: match },
    { $project: slimRow(search, metrics.length > 0) },
    ...(metrics.length === 0 ? [] : joinMetrics(search, metrics)),
    ...(ranks.length === 0 ? [] : [{ $set: Object.fromEntries(ranks) }]),
    ...afterStage(
      search,
      order.map((_, n) => [ranked[n] ? `r${n}` : undefined, `v${n}`] as const),
    ),
    {
      $sort: Object.fromEntries([
        ...order.flatMap(({ descending }, n) => [
          ...(ranked[n] ? [[`r${n}`, 1]] : []),
          [`v${n}`, descending ? -1 : 1],
        ]),
        ["_id", 1],
      ]),
    },
    { $limit: limit },
  ];
}

type OwnComparison = Comparison & { readonly column: Exclude<Column, { readonly kind: "metric" }> };

function isOwn(comparison: Comparison): comparison is OwnComparison {
  return comparison.column.kind !== "metric";
}

/** The stored field of a column that every document has and that needs no making: an index may give its order. */
export function plainPath(things: Search["things"], column: Column): string | undefined {
  if (column.kind !== "attribute") return undefined;
  const { path, optional, expression, type } = storedAttribute(things, column.name);
  // A text may be longer than what of it decides the order; ids are not.
  const whole = type !== "text" || path === "_id";
  return optional === true || expression !== undefined || !whole ? undefined : path;
}

function plainPipeline(search: Search, match: Condition): readonly Stage[] {
  const { things, order, limit } = search;
  const paths = order.map(({ column }) => plainPath(things, column) ?? "_id");
  const sort = Object.fromEntries(order.map(({ descending }, n) => [paths[n], descending ? -1 : 1]));
  return [
    { $match: match },
    ...afterStage(
      search,
      paths.map((path) => [undefined, path] as const),
    ),
    { $sort: "_id" in sort ? sort : { ...sort, _id: 1 } },
    { $limit: limit },
    { $project: Object.fromEntries(paths.map((path, n) => [`v${n}`, `$${path}`])) },
  ];
}

/** The metrics that a search names, each with what of it is needed. */
function metricUses({ comparisons, order }: Search): readonly MetricUse[] {
  const uses = new Map<string, MetricUse>();
  const use = (key: string): MetricUse => {
    const known = uses.get(key) ?? { key, columns: new Map(), tests: [] };
    uses.set(key, known);
    return known;
  };
  for (const { column, test } of comparisons) {
    if (column.kind === "metric") use(column.key).tests.push({ aggregate: column.aggregate, test });
  }
  for (const [n, { column }] of order.entries()) {
    if (column.kind === "metric") use(column.key).columns.set(`v${n}`, column.aggregate);
  }
  return [...uses.values()];
}

function slimRow({ things, order }: Search, joined: boolean): Stage {
  const values = order.map(({ column }, n) => [`v${n}`, ownValue(things, column)]);
  return {
    _id: 1,
    ...(joined ? { there: { $literal: 1 } } : {}),
    ...Object.fromEntries(values.filter(([, value]) => value !== undefined)),
  };
}

/** The value of a column that the document holds, as an expression; undefined of a metric. */
function ownValue(things: Search["things"], column: Column): unknown {
  switch (column.kind) {
    case "param":
    case "tag": {
      const found = {
        $filter: {
          input: `$${column.kind}s`,
          cond: { $eq: ["$$this.key", { $literal: column.key }] },
          limit: 1,
        },
      };
      return ordered({ $let: { vars: { found: { $first: found } }, in: "$$found.value" } });
    }
    case "attribute": {
      const { path, type, expression } = storedAttribute(things, column.name);
      const value = expression ?? `$${path}`;
      return type === "text" ? ordered(value) : value;
    }
    default:
      return undefined;
  }
}

/** What of a text decides its place; of no text, nothing. */
function ordered(text: unknown): unknown {
  return { $cond: [{ $gt: [text, null] }, { $substrCP: [text, 0, ORDERED_CHARACTERS] }, null] };
}

/** Adds each metric's rows, gathers all rows of a run into one, and keeps those of runs that pass. */
function joinMetrics(search: Search, metrics: readonly MetricUse[]): Stage[] {
  const { among } = search;
  const branches = metrics.map((use, index) => ({
    $unionWith:
      among?.key === use.key
        ? { pipeline: [{ $documents: { $literal: knownRows(among.rows, use, index) } }] }
        : { coll: SUMMARIES, pipeline: branch(search, use, index) },
  }));
  const tested = metrics.flatMap(({ tests }, index) => (tests.length === 0 ? [] : [`k${index}`]));
  const gathered = ["there", ...tested, ...search.order.map((_, n) => `v${n}`)];
  const required = metrics.flatMap(({ tests }, index) => presence(tests, index));
  return [
    ...branches,
    { $group: { _id: "$_id", ...Object.fromEntries(gathered.map((name) => [name, { $max: `$${name}` }])) } },
    { $match: { $and: [{ there: 1 }, ...required] } },
  ];
}

/** One metric's rows that pass every test on it. */
function branch({ metricScope, among }: Search, { key, columns, tests }: MetricUse, index: number): Stage[] {
  const rows =
    among === undefined
      ? [metricScope, { key }]
      : [{ _id: { $in: among.ids.map((runId) => summaryId(runId, key)) } }];
  const passed = tests.flatMap(({ aggregate, test }) =>
    test.is === "null" || test.is === "not null" ? [] : [{ [aggregate]: valueTest(test) }],
  );
  return [
    { $match: { $and: [...rows, ...passed] } },
    {
      $project: {
        _id: "$runId",
        ...(tests.length === 0 ? {} : { [`k${index}`]: { $literal: 1 } }),
        ...Object.fromEntries([...columns].map(([field, aggregate]) => [field, `$${aggregate}`])),
      },
    },
  ];
}

/** The rows that were read before, as `branch` would make them. */
function knownRows(
  rows: readonly MetricRow[],
  { columns, tests }: MetricUse,
  index: number,
): readonly Condition[] {
  return rows.map(({ runId, values }) => ({
    _id: runId,
    ...(tests.length === 0 ? {} : { [`k${index}`]: 1 }),
    ...Object.fromEntries([...columns].map(([field, aggregate]) => [field, values[aggregate]])),
  }));
}

/** What tests on a metric ask of its presence: a row that failed one was not joined. */
function presence(tests: MetricUse["tests"], index: number): Condition[] {
  const absent = tests.some(({ test }) => test.is === "null");
  const present = tests.some(({ test }) => test.is !== "null");
  return [...(absent ? [{ [`k${index}`]: null }] : []), ...(present ? [{ [`k${index}`]: 1 }] : [])];
}

function rankOf({ column }: OrderKey, n: number): unknown {
  const value = `$v${n}`;
  const none = { $lte: [value, null] };
  if (column.kind !== "metric") return { $cond: [none, 2, 0] };
  return { $cond: [none, 2, { $cond: [{ $eq: [value, Number.NaN] }, 1, 0] }] };
}

/** Keeps the rows after the last of the page before: greater in the first key that differs, or in the id. */
function afterStage(
  { after, order, things }: Search,
  fields: readonly (readonly [rank: string | undefined, value: string])[],
): Stage[] {
  if (after === undefined) return [];
  const equal: Condition[] = [];
  const alternatives: Condition[] = [];
  for (const [n, [rankField, valueField]] of fields.entries()) {
    const [rank, stored] = after.places[n] ?? [2, null];
    const value = placeValue(things, order[n]?.column, stored);
    if (rankField !== undefined) {
      alternatives.push({ $and: [...equal, { [rankField]: { $gt: rank } }] });
      equal.push({ [rankField]: rank });
    }
    if (rank !== 0) continue;
    const beyond = order[n]?.descending === true ? "$lt" : "$gt";
    alternatives.push({ $and: [...equal, { [valueField]: { [beyond]: value } }] });
    equal.push({ [valueField]: value });
  }
  alternatives.push({ $and: [...equal, { _id: { $gt: after.id } }] });
  return [{ $match: { $or: alternatives } }];
}

function placeValue(
  things: Search["things"],
  column: Column | undefined,
  stored: string | number | null,
): unknown {
  if (column?.kind === "metric") return Number(stored);
  if (column?.kind !== "attribute") return stored;
  return storedAttribute(things, column.name).type === "time" ? new Date(Number(stored)) : stored;
}

/** The order with what decides between equals, unless it is named: newest first; the id comes last by itself. */
export function completeOrder(order: readonly OrderKey[], last: OrderKey): readonly OrderKey[] {
  return order.some(({ column }) => columnId(column) === columnId(last.column)) ? order : [...order, last];
}
