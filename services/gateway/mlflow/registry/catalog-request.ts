import { registry } from "@trainyard/contracts";
import { catalogClauses } from "../domain/search/catalog.ts";
import type { Comparison } from "../domain/search/grammar.ts";

const comparisons: Readonly<Record<string, registry.CatalogComparison>> = {
  "=": registry.CatalogComparison.EQUAL,
  "!=": registry.CatalogComparison.NOT_EQUAL,
  LIKE: registry.CatalogComparison.LIKE,
  ILIKE: registry.CatalogComparison.LIKE_ANY_CASE,
  IN: registry.CatalogComparison.IN,
  "NOT IN": registry.CatalogComparison.NOT_IN,
  "<": registry.CatalogComparison.LESS,
  "<=": registry.CatalogComparison.AT_MOST,
  ">": registry.CatalogComparison.GREATER,
  ">=": registry.CatalogComparison.AT_LEAST,
};

/** A checked filter as the registry's search takes it; `fields` says what it calls an attribute. */
export function clausesOf(filter: readonly Comparison[], fields: Readonly<Record<string, string>>) {
  return catalogClauses(filter, fields).map(({ comparator, values, ...subject }) => ({
    ...subject,
    comparison: comparisons[comparator] ?? registry.CatalogComparison.UNSPECIFIED,
    values: [...values],
  }));
}
