import { registry } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Comparison, SearchClause, SearchOrder } from "../domain/search-clause.ts";

const comparisons: Readonly<Record<number, Comparison>> = {
  [registry.CatalogComparison.EQUAL]: "equal",
  [registry.CatalogComparison.NOT_EQUAL]: "not_equal",
  [registry.CatalogComparison.LIKE]: "like",
  [registry.CatalogComparison.LIKE_ANY_CASE]: "like_any_case",
  [registry.CatalogComparison.IN]: "in",
  [registry.CatalogComparison.NOT_IN]: "not_in",
  [registry.CatalogComparison.LESS]: "less",
  [registry.CatalogComparison.AT_MOST]: "at_most",
  [registry.CatalogComparison.GREATER]: "greater",
  [registry.CatalogComparison.AT_LEAST]: "at_least",
};

export function clausesFromProto(clauses: readonly registry.CatalogClause[]): readonly SearchClause[] {
  return clauses.map(({ field, tag, param, metric, comparison, values }) => {
    const subjects = [
      { kind: "field", name: field },
      { kind: "tag", name: tag },
      { kind: "param", name: param },
      { kind: "metric", name: metric },
    ] as const;
    const [subject, second] = subjects.filter(({ name }) => name !== "");
    const known = comparisons[comparison];
    if (subject !== undefined && second === undefined && known !== undefined)
      return { subject, comparison: known, values };
    const description = "each has one of field, tag, param and metric, and a comparison";
    throw new DomainError("invalid_argument", "SEARCH_INVALID", `clauses: ${description}.`, {
      violations: [{ field: "clauses", description }],
    });
  });
}

export function ordersFromProto(orders: readonly registry.CatalogOrder[]): readonly SearchOrder[] {
  return orders.map(({ field, descending }) => ({ field, descending }));
}
