/**
 * Compiles comparisons to conditions of MongoDB's query language. That language compares values of one type only, so a
 * condition on what is missing is false by itself, but for $ne and $nin: those exclude it in words. NaN passes no ordered
 * comparison there, as it should.
 */
import { runStatuses } from "../run-status.ts";
import type { Column, Comparison, Test } from "./comparison.ts";
import { likePattern } from "./like-pattern.ts";

/** A condition of MongoDB's query language. */
export type Condition = Readonly<Record<string, unknown>>;

/** Latest time a date can hold. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/** Where an attribute is stored. */
export interface StoredAttribute {
  readonly path: string;
  readonly type: "text" | "time" | "status";
  /** Whether documents may lack it. */
  readonly optional?: true;
  /** Of an attribute that is not stored but made: the expression that makes it. */
  readonly expression?: unknown;
}

const runAttributes: Readonly<Record<string, StoredAttribute>> = {
  run_id: { path: "_id", type: "text" },
  run_name: { path: "name", type: "text" },
  status: { path: "status", type: "status" },
  start_time: { path: "startTime", type: "time" },
  end_time: { path: "endedAt", type: "time", optional: true },
  user_id: { path: "createdBy", type: "text" },
  artifact_uri: {
    path: "_id",
    type: "text",
    expression: { $concat: ["trainyard:/runs/", "$_id", "/artifacts"] },
  },
  experiment_id: { path: "experimentId", type: "text" },
  job_id: { path: "jobId", type: "text" },
  parent_run_id: { path: "parentRunId", type: "text" },
  created_at: { path: "createdAt", type: "time" },
  updated_at: { path: "updatedAt", type: "time" },
};

const experimentAttributes: Readonly<Record<string, StoredAttribute>> = {
  experiment_id: { path: "_id", type: "text" },
  name: { path: "name", type: "text" },
  owner: { path: "owner", type: "text" },
  creation_time: { path: "createdAt", type: "time" },
  last_update_time: { path: "updatedAt", type: "time" },
};

/** Where the attributes of these things are stored. */
export function storedAttribute(things: "runs" | "experiments", name: string): StoredAttribute {
  const stored = (things === "runs" ? runAttributes : experimentAttributes)[name];
  if (stored === undefined) throw new RangeError(`${things} have no attribute ${name}`);
  return stored;
}

/** The condition of a comparison on what the document itself holds: everything but metrics. */
export function compileComparison(
  things: "runs" | "experiments",
  { column, test }: Comparison & { readonly column: Exclude<Column, { readonly kind: "metric" }> },
): Condition {
  switch (column.kind) {
    case "param":
      return keyed("params", column.key, test);
    case "tag":
      return keyed("tags", column.key, test);
    case "dataset":
      // A context that was not told is no context.
      return {
        inputs: {
          $elemMatch: { $and: [{ [column.field]: { $ne: "" } }, { [column.field]: valueTest(test) }] },
        },
      };
    case "attribute":
      return attribute(storedAttribute(things, column.name), test);
  }
}

function keyed(list: "params" | "tags", key: string, test: Test): Condition {
  if (test.is === "null") return { [`${list}.key`]: { $ne: key } };
  if (test.is === "not null") return { [`${list}.key`]: key };
  return { [list]: { $elemMatch: { key, value: valueTest(test) } } };
}

function attribute(stored: StoredAttribute, test: Test): Condition {
  if (stored.expression !== undefined) return made(stored.expression, test);
  if (stored.type === "status") return { [stored.path]: { $in: statusesOf(test) } };
  if (test.is === "null") return { [stored.path]: null };
  if (test.is === "not null") return { [stored.path]: { $ne: null } };
  const condition = stored.type === "time" ? timeTest(test) : valueTest(test);
  if (stored.optional !== true) return { [stored.path]: condition };
  return { $and: [{ [stored.path]: { $ne: null } }, { [stored.path]: condition }] };
}

/** The test of a value that is there: of a text, or of a metric's number. */
export function valueTest(test: Exclude<Test, { readonly is: "null" | "not null" }>): Condition;
export function valueTest(test: Test): Condition;
export function valueTest(test: Test): Condition {
  switch (test.is) {
    case "=":
      return { $eq: test.value };
    case "!=":
      return { $ne: test.value };
    case "<":
      return { $lt: test.value };
    case "<=":
      return { $lte: test.value };
    case ">":
      return { $gt: test.value };
    case ">=":
      return { $gte: test.value };
    case "like":
      return { $regex: likePattern(test.pattern), $options: test.ignoreCase ? "si" : "s" };
    case "in":
      return { $in: [...test.values] };
    case "not in":
      return { $nin: [...test.values] };
    case "null":
      return { $eq: null };
    case "not null":
      return { $ne: null };
  }
}

/** Times are stored in whole milliseconds: a bound between two of them is moved to the one that means the same. */
function timeTest(test: Test): Condition {
  switch (test.is) {
    case "<":
      return { $lt: dateOf(Math.ceil(test.value)) };
    case ">=":
      return { $gte: dateOf(Math.ceil(test.value)) };
    case "<=":
      return { $lte: dateOf(Math.floor(test.value)) };
    case ">":
      return { $gt: dateOf(Math.floor(test.value)) };
    case "=":
      return { $in: datesOf([Number(test.value)]) };
    case "!=":
      return { $nin: datesOf([Number(test.value)]) };
    case "in":
      return { $in: datesOf(test.values.map(Number)) };
    case "not in":
      return { $nin: datesOf(test.values.map(Number)) };
    default:
      return valueTest(test);
  }
}

function datesOf(values: readonly number[]): Date[] {
  return values.filter((ms) => Number.isInteger(ms) && Math.abs(ms) <= MAX_TIME_MS).map((ms) => new Date(ms));
}

function dateOf(ms: number): Date {
  return new Date(Math.max(-MAX_TIME_MS, Math.min(MAX_TIME_MS, ms)));
}

/** MLflow's names of the statuses that have others here. */
const statusAliases: Readonly<Record<string, string>> = { COMPLETED: "FINISHED", QUEUED: "SCHEDULED" };

/** The statuses that pass; each is known by its name and by MLflow's. */
function statusesOf(test: Test): string[] {
  return runStatuses.filter((status) => {
    const own = status.toUpperCase();
    const names = [own, statusAliases[own] ?? own];
    switch (test.is) {
      case "=":
        return names.includes(String(test.value).toUpperCase());
      case "!=":
        return !names.includes(String(test.value).toUpperCase());
      case "in":
        return test.values.some((value) => names.includes(String(value).toUpperCase()));
      case "not in":
        return !test.values.some((value) => names.includes(String(value).toUpperCase()));
      case "like": {
        const pattern = new RegExp(likePattern(test.pattern), test.ignoreCase ? "siu" : "su");
        return names.some((name) => pattern.test(name));
      }
      case "null":
        return false;
      default:
        return test.is === "not null";
    }
  });
}

function made(expression: unknown, test: Test): Condition {
  switch (test.is) {
    case "=":
    case "!=":
      return { $expr: { [test.is === "=" ? "$eq" : "$ne"]: [expression, { $literal: test.value }] } };
    case "in":
      return { $expr: { $in: [expression, { $literal: [...test.values] }] } };
    case "not in":
      return { $expr: { $not: { $in: [expression, { $literal: [...test.values] }] } } };
    case "like": {
      const regex = { $literal: likePattern(test.pattern) };
      const options = test.ignoreCase ? "si" : "s";
      return { $expr: { $regexMatch: { input: expression, regex, options } } };
    }
    default:
      return { $expr: test.is === "not null" };
  }
}
