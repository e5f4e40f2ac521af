import type { Document } from "mongodb";
import type { SearchClause, SearchFields, SearchOrder, Subject } from "../domain/search-clause.ts";

/** Where a field of a search is in the documents. */
export interface SearchSchema {
  readonly fields: SearchFields;
  readonly paths: Readonly<Record<string, string>>;
}

/** A search as MongoDB takes it: each clause a condition. */
export function searchFilter(
  clauses: readonly SearchClause[],
  { fields, paths }: SearchSchema,
): readonly Document[] {
  return clauses.map((clause) => {
    const { subject } = clause;
    const condition = comparisonOf(clause, { fields });
    if (subject.kind === "field") return { [paths[subject.name] ?? subject.name]: condition };
    return { [listOf(subject)]: { $elemMatch: { key: subject.name, value: condition } } };
  });
}

/** What a clause asks of a value. */
export function comparisonOf(
  { subject, comparison, values }: SearchClause,
  { fields }: Pick<SearchSchema, "fields">,
): Document {
  const kind =
    subject.kind === "metric"
      ? "number"
      : subject.kind === "field"
        ? (fields[subject.name] ?? "text")
        : "text";
  return conditionOf(
    comparison,
    values.map((value) => typedValue(kind, value)),
    values,
  );
}

/** An order as MongoDB takes it, with what makes it whole. */
export function searchSort(
  orders: readonly SearchOrder[],
  paths: SearchSchema["paths"],
  rest: Readonly<Record<string, 1 | -1>>,
) {
  const sort = new Map<string, 1 | -1>();
  for (const { field, descending } of orders) sort.set(paths[field] ?? field, descending ? -1 : 1);
  for (const [field, direction] of Object.entries(rest)) if (!sort.has(field)) sort.set(field, direction);
  return Object.fromEntries(sort);
}

function listOf({ kind }: Subject): string {
  return { tag: "tags", param: "params", metric: "metrics", field: "" }[kind];
}

function typedValue(kind: "text" | "number" | "time", value: string): string | number | Date {
  if (kind === "text") return value;
  return kind === "number" ? Number(value) : new Date(Number(value));
}

function conditionOf(
  comparison: SearchClause["comparison"],
  typed: readonly unknown[],
  texts: readonly string[],
): Document {
  const [first] = typed;
  switch (comparison) {
    case "equal":
      return { $eq: first };
    case "not_equal":
      return { $ne: first };
    case "like":
      return { $regex: likePattern(texts[0] ?? ""), $options: "s" };
    case "like_any_case":
      return { $regex: likePattern(texts[0] ?? ""), $options: "si" };
    case "in":
      return { $in: typed };
    case "not_in":
      return { $nin: typed };
    case "less":
      return { $lt: first };
    case "at_most":
      return { $lte: first };
    case "greater":
      return { $gt: first };
    case "at_least":
      return { $gte: first };
  }
}

/** SQL's pattern as a regular expression of nothing but it: what else is special there is taken as it is. */
function likePattern(pattern: string): string {
  const escaped = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return `^${escaped.replaceAll("%", ".*").replaceAll("_", ".")}$`;
}
