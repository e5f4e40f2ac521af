import { limitExceeded } from "../errors.ts";
import type { Column, Comparison, OrderedOperator, Test } from "./comparison.ts";
import { Cursor } from "./cursor.ts";
import { type ColumnOptions, parseColumn } from "./parse-column.ts";

/** Characters of a filter, comparisons in it, and values in one list. */
export const MAX_FILTER_LENGTH = 16_384;
export const MAX_COMPARISONS = 100;
export const MAX_LIST_VALUES = 1_000;

const OPERATOR = /^(?:!=|<=|>=|=|<|>)/;
const NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?)(?![\w.])/i;

/** The kinds of values that a column's operators and literals follow. */
type ValueType = "number" | "text" | "time" | "status";

/** Reads a filter: comparisons joined by AND. Throws FILTER_INVALID with the character and what was expected there. */
export function parseFilter(text: string, options: ColumnOptions): readonly Comparison[] {
  if (text.length > MAX_FILTER_LENGTH) {
    throw limitExceeded("filter", "MAX_FILTER_LENGTH", MAX_FILTER_LENGTH, text.length, "characters");
  }
  const cursor = new Cursor(text, "filter", "FILTER_INVALID");
  const comparisons: Comparison[] = [];
  while (!cursor.atEnd) {
    if (comparisons.length > 0 && !cursor.takeWords("AND")) throw cursor.failure("AND or the end");
    comparisons.push(comparison(cursor, options));
    if (comparisons.length > MAX_COMPARISONS) {
      throw limitExceeded(
        "filter",
        "MAX_COMPARISONS",
        MAX_COMPARISONS,
        comparisons.length,
        "comparisons or more",
      );
    }
  }
  return comparisons;
}

function comparison(cursor: Cursor, options: ColumnOptions): Comparison {
  const column = parseColumn(cursor, options);
  return { column, test: test(cursor, column, typeOf(column, options)) };
}

function typeOf(column: Column, { vocabulary }: ColumnOptions): ValueType {
  if (column.kind === "metric") return "number";
  return column.kind === "attribute" ? (vocabulary.attributes[column.name] ?? "text") : "text";
}

function test(cursor: Cursor, column: Column, type: ValueType): Test {
  if (column.kind !== "dataset") {
    if (cursor.takeWords("IS", "NOT", "NULL")) return { is: "not null" };
    if (cursor.takeWords("IS", "NULL")) return { is: "null" };
  }
  const ordered = type === "number" || type === "time";
  if (!ordered) {
    for (const [word, ignoreCase] of [["LIKE", false] as const, ["ILIKE", true] as const]) {
      if (cursor.takeWords(word)) return { is: "like", pattern: quoted(cursor), ignoreCase };
    }
  }
  if (type !== "number") {
    if (cursor.takeWords("NOT", "IN")) return { is: "not in", values: list(cursor, type) };
    if (cursor.takeWords("IN")) return { is: "in", values: list(cursor, type) };
  }
  const at = cursor.at;
  const operator = cursor.take(OPERATOR) as OrderedOperator | undefined; // The pattern takes nothing else.
  if (operator === undefined || (!ordered && operator !== "=" && operator !== "!=")) {
    throw cursor.failure(operators(column, type), at);
  }
  if (type === "number") return { is: operator, value: number(cursor) };
  if (type === "time") return { is: operator, value: time(cursor) };
  // Checked above: texts have no other operators.
  return { is: operator as "=" | "!=", value: quoted(cursor) };
}

function operators(column: Column, type: ValueType): string {
  const nulls = column.kind === "dataset" ? "" : ", IS NULL, IS NOT NULL";
  if (type === "number") return `one of =, !=, <, <=, >, >=${nulls}`;
  if (type === "time") return `one of =, !=, <, <=, >, >=, IN, NOT IN${nulls}`;
  return `one of =, !=, LIKE, ILIKE, IN, NOT IN${nulls}`;
}

function list(cursor: Cursor, type: "text" | "time" | "status"): readonly string[] | readonly number[] {
  if (cursor.take(/^\(/) === undefined) throw cursor.failure("( and a list of values");
  const texts: string[] = [];
  const times: number[] = [];
  do {
    if (type === "time") times.push(time(cursor));
    else texts.push(quoted(cursor));
    const count = texts.length + times.length;
    if (count > MAX_LIST_VALUES) {
      throw limitExceeded("filter", "MAX_LIST_VALUES", MAX_LIST_VALUES, count, "values or more in a list");
    }
  } while (cursor.take(/^,/) !== undefined);
  if (cursor.take(/^\)/) === undefined) throw cursor.failure(", or )");
  return type === "time" ? times : texts;
}

function quoted(cursor: Cursor): string {
  const value = cursor.takeQuoted("'\"");
  if (value === undefined) throw cursor.failure("a text in quotes, such as 'a text'");
  return value;
}

function number(cursor: Cursor): number {
  const text = cursor.take(NUMBER);
  if (text === undefined) throw cursor.failure("a number");
  return Number(text.replace(/inf(?:inity)?/i, "Infinity"));
}

function time(cursor: Cursor): number {
  const at = cursor.at;
  const text = cursor.takeQuoted("'\"");
  if (text === undefined) return number(cursor);
  const parsed = /^\d{4}-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(parsed)) {
    throw cursor.failure("a time: milliseconds since 1970, or ISO 8601 in quotes such as '2026-11-21'", at);
  }
  return parsed;
}
