import type { z } from "zod";
import { type ColumnType, canBeKey, kindOf } from "../domain/column-type.ts";
import { type ColumnSpec, specOf } from "../domain/contract.ts";
import { contractSchema } from "./contract-schema.ts";

type ContractFile = z.output<typeof contractSchema>;
type Report = (path: readonly (string | number)[], message: string) => void;

/** Splits are at most so many: a version's description has to fit into one message. */
const MAX_SPLITS = 16;
/** How far from 1 the sum of fractions may be: what decimal fractions cannot say exactly. */
const SUM_TOLERANCE = 1e-6;

/** `contractSchema` with what depends on several fields: what a contract is read with. */
export const contractFileSchema = contractSchema.superRefine((file, context) => {
  const report: Report = (path, message) => context.addIssue({ code: "custom", path: [...path], message });
  file.columns.forEach((column, index) => {
    checkColumn(column, ["columns", index], report);
    if (file.columns.findIndex(({ name }) => name === column.name) < index) {
      report(["columns", index, "name"], `${JSON.stringify(column.name)} is there twice`);
    }
  });
  checkNamedColumns(file, report);
  checkRules(file, report);
  checkSplits(file.splits, report);
});

type ColumnFile = ContractFile["columns"][number];

function checkColumn(column: ColumnFile, path: readonly (string | number)[], report: Report): void {
  const { type, min, max, values, matches } = column;
  const kind = kindOf(type);
  for (const [field, value] of Object.entries({ min, max })) {
    if (value === undefined) continue;
    if (kind === "number" && typeof value !== "number") report([...path, field], "expected a number");
    else if (kind === "time" && !isTime(value))
      report([...path, field], `expected a ${type} in quotes, such as "2026-01-31"`);
    else if (kind !== "number" && kind !== "time")
      report([...path, field], `a ${type} has no smallest or largest value; use values or matches`);
  }
  if (typeof min === typeof max && min !== undefined && max !== undefined && min > max) {
    report([...path, "min"], `expected at most max (${max}), got ${min}`);
  }
  values?.forEach((value, index) => {
    const expected = valueType(type);
    if (expected === undefined) report([...path, "values"], `values of ${type} cannot be listed`);
    else if (typeof value !== expected) report([...path, "values", index], `expected a ${expected}`);
  });
  if (matches !== undefined) checkPattern(matches, kind === "text", [...path, "matches"], report);
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && /^\d{4}-\d{2}-\d{2}/.test(value) && !Number.isNaN(Date.parse(value));
}

function valueType(type: ColumnType): "number" | "string" | "boolean" | undefined {
  switch (kindOf(type)) {
    case "number":
      return "number";
    case "text":
    case "time":
      return "string";
    case "bool":
      return "boolean";
    case "other":
      return undefined;
  }
}

/** A first look: what JavaScript refuses, RE2 refuses too, and the place is known here. */
function checkPattern(
  pattern: string,
  isText: boolean,
  path: readonly (string | number)[],
  report: Report,
): void {
  if (!isText) report(path, "only a string can be matched");
  try {
    new RegExp(pattern.replace(/^\(\?[a-z]+\)/, ""), "u");
  } catch {
    report(path, "expected a regular expression (RE2)");
  }
}

function checkNamedColumns(file: ContractFile, report: Report): void {
  const { columns, key, target, stratifyBy } = file;
  for (const [field, name] of Object.entries({ key, target, stratifyBy })) {
    if (name !== undefined && specOf(columns as readonly ColumnSpec[], name) === undefined) {
      report([field], `there is no column ${JSON.stringify(name)} in columns; declare it there`);
    }
  }
  const spec = specOf(columns as readonly ColumnSpec[], key);
  if (spec !== undefined && !canBeKey(spec.type)) {
    report(["key"], `a ${spec.type} cannot identify a row; expected a column of an integer type or string`);
  }
}

function checkRules({ rules, columns }: ContractFile, report: Report): void {
  rules.forEach(({ minRows, maxRows, compare }, index) => {
    if (minRows === undefined && maxRows === undefined && compare === undefined) {
      report(["rules", index], "says nothing; expected minRows, maxRows or compare");
    }
    if (minRows !== undefined && maxRows !== undefined && minRows > maxRows) {
      report(["rules", index, "minRows"], `expected at most maxRows (${maxRows}), got ${minRows}`);
    }
    if (compare === undefined) return;
    const [left, , right] = compare;
    const specs = [left, right].map((name) => specOf(columns as readonly ColumnSpec[], name));
    const [a, b] = specs;
    if (a === undefined || b === undefined) {
      const unknown = a === undefined ? left : right;
      report(["rules", index, "compare"], `there is no column ${JSON.stringify(unknown)} in columns`);
    } else if (kindOf(a.type) !== kindOf(b.type) || kindOf(a.type) === "other") {
      report(["rules", index, "compare"], `${a.type} and ${b.type} cannot be compared`);
    }
  });
}

function checkSplits(splits: ContractFile["splits"], report: Report): void {
  const fractions = Object.values(splits);
  const sum = fractions.reduce((a, b) => a + b, 0);
  if (fractions.length === 0 || fractions.length > MAX_SPLITS) {
    report(["splits"], `expected 1 to ${MAX_SPLITS} splits, got ${fractions.length}`);
  } else if (Math.abs(sum - 1) > SUM_TOLERANCE) {
    report(["splits"], `the fractions must sum to 1, they sum to ${Number(sum.toFixed(9))}`);
  }
}
