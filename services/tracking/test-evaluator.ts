/** A plain evaluation of searches over runs as the wire has them, to compare the compiled ones with. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import type { Column, Comparison, OrderKey, Test } from "./domain/search/comparison.ts";

type Value = string | number | undefined;

/** The runs that pass every comparison, in order; equal ones by start, newest first, then by id. */
export function evaluateSearch(
  runs: readonly tracking.Run[],
  comparisons: readonly Comparison[],
  order: readonly OrderKey[],
): tracking.Run[] {
  const passing = runs.filter((run) => comparisons.every(({ column, test }) => passes(run, column, test)));
  return passing.sort((a, b) => {
    for (const { column, descending } of order) {
      const decided = compare(columnValue(a, column), columnValue(b, column), descending);
      if (decided !== 0) return decided;
    }
    return msOf(b.startTime) - msOf(a.startTime) || compareTexts(a.id, b.id);
  });
}

function passes(run: tracking.Run, column: Column, test: Test): boolean {
  if (column.kind === "dataset") {
    return run.inputs.some((input) => input[column.field] !== "" && holds(input[column.field], test));
  }
  if (column.kind === "attribute" && column.name === "status") {
    const names = statusNames[run.status] ?? [];
    const upper = upperCased(test);
    const some = names.some((name) => holds(name, upper));
    return test.is === "!=" || test.is === "not in" ? names.every((name) => holds(name, upper)) : some;
  }
  return holds(columnValue(run, column), test);
}

const statusNames: Readonly<Record<number, readonly string[]>> = {
  [tracking.RunStatus.QUEUED]: ["QUEUED", "SCHEDULED"],
  [tracking.RunStatus.RUNNING]: ["RUNNING"],
  [tracking.RunStatus.COMPLETED]: ["COMPLETED", "FINISHED"],
  [tracking.RunStatus.FAILED]: ["FAILED"],
};

function upperCased(test: Test): Test {
  if (test.is === "in" || test.is === "not in") {
    return { ...test, values: test.values.map((value) => String(value).toUpperCase()) };
  }
  if ("value" in test && typeof test.value === "string")
    return { ...test, value: test.value.toUpperCase() } as Test;
  return test;
}

function holds(value: Value, test: Test): boolean {
  if (test.is === "null") return value === undefined;
  if (value === undefined) return false;
  switch (test.is) {
    case "not null":
      return true;
    case "=":
      return value === test.value;
    case "!=":
      return value !== test.value;
    case "<":
      return Number(value) < test.value;
    case "<=":
      return Number(value) <= test.value;
    case ">":
      return Number(value) > test.value;
    case ">=":
      return Number(value) >= test.value;
    case "like":
      return like(String(value), test.pattern, test.ignoreCase);
    case "in":
      return test.values.some((one) => one === value);
    case "not in":
      return !test.values.some((one) => one === value);
  }
}

function like(text: string, pattern: string, ignoreCase: boolean): boolean {
  const [value, asked] = ignoreCase ? [text.toLowerCase(), pattern.toLowerCase()] : [text, pattern];
  const matches = (at: number, of: number): boolean => {
    if (of === asked.length) return at === value.length;
    if (asked[of] === "%") return matches(at, of + 1) || (at < value.length && matches(at + 1, of));
    return at < value.length && (asked[of] === "_" || asked[of] === value[at]) && matches(at + 1, of + 1);
  };
  return matches(0, 0);
}

function columnValue(run: tracking.Run, column: Column): Value {
  switch (column.kind) {
    case "param":
      return own(run.paramTexts, column.key);
    case "tag":
      return own(run.tags, column.key);
    case "metric": {
      const summary = own(run.metrics, column.key);
      return summary === undefined ? undefined : Number(summary[column.aggregate]);
    }
    case "dataset":
      return undefined;
    case "attribute":
      return attributeOf(run, column.name);
  }
}

function own<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function attributeOf(run: tracking.Run, name: string): Value {
  switch (name) {
    case "run_id":
      return run.id;
    case "run_name":
      return run.name;
    case "status":
      return statusNames[run.status]?.[0];
    case "start_time":
      return msOf(run.startTime);
    case "end_time":
      return run.endedAt === undefined ? undefined : msOf(run.endedAt);
    case "user_id":
      return run.createdBy;
    case "artifact_uri":
      return run.artifactUri;
    default:
      throw new RangeError(name);
  }
}

function msOf(at: tracking.Run["startTime"]): number {
  return at === undefined ? Number.NaN : timestampMs(at);
}

function compare(a: Value, b: Value, descending: boolean): number {
  const rank = (value: Value) => (value === undefined ? 2 : Number.isNaN(value) ? 1 : 0);
  if (rank(a) !== 0 || rank(b) !== 0) return rank(a) - rank(b);
  const up =
    typeof a === "number" && typeof b === "number"
      ? a === b
        ? 0
        : a < b
          ? -1
          : 1
      : compareTexts(String(a), String(b));
  return descending ? -up : up;
}

function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
