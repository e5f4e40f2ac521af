/**
 * What a search asks for, as parsed. The grammar is that of MLflow's searches, so that whoever knows those knows this one:
 * comparisons joined by AND. Beyond it, metrics have aggregates, and lists and IS NULL work wherever they make sense.
 */

/** What of a metric is compared or ordered by. */
export const aggregates = ["last", "first", "min", "max", "mean", "count"] as const;
export type Aggregate = (typeof aggregates)[number];

/** What a comparison, or an order, is about. */
export type Column =
  | { readonly kind: "metric"; readonly key: string; readonly aggregate: Aggregate }
  | { readonly kind: "param" | "tag"; readonly key: string }
  | { readonly kind: "attribute"; readonly name: string }
  | { readonly kind: "dataset"; readonly field: "name" | "digest" | "context" };

export type OrderedOperator = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** What is said about a column's value. What has no value passes no test but `null`. */
export type Test =
  | { readonly is: OrderedOperator; readonly value: number }
  | { readonly is: "=" | "!="; readonly value: string }
  | { readonly is: "like"; readonly pattern: string; readonly ignoreCase: boolean }
  | { readonly is: "in" | "not in"; readonly values: readonly string[] | readonly number[] }
  | { readonly is: "null" | "not null" };

/** One comparison of a filter. */
export interface Comparison {
  readonly column: Column;
  readonly test: Test;
}

/** One key of an order. */
export interface OrderKey {
  readonly column: Column;
  readonly descending: boolean;
}

/** A column's identity, to find it again. */
export function columnId(column: Column): string {
  return JSON.stringify(Object.values(column));
}
