import type { Comparison } from "./grammar.ts";

/** One comparison as the registry takes it. */
export interface CatalogClause {
  readonly field: string;
  readonly tag: string;
  readonly param: string;
  readonly metric: string;
  readonly comparator: string;
  readonly values: readonly string[];
}

/** A filter's comparisons in the registry's words; `fields` says what it calls an attribute. */
export function catalogClauses(
  comparisons: readonly Comparison[],
  fields: Readonly<Record<string, string>>,
): readonly CatalogClause[] {
  return comparisons.map(({ type, key, comparator, value }) => ({
    field: type === "attribute" ? (fields[key] ?? key) : "",
    tag: type === "tag" ? key : "",
    param: type === "parameter" ? key : "",
    metric: type === "metric" ? key : "",
    comparator,
    values: (Array.isArray(value) ? (value as readonly string[]) : [value ?? ""]).map(String),
  }));
}
