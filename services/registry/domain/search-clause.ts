import { DomainError } from "@trainyard/domain";

export const comparisons = [
  "equal",
  "not_equal",
  "like",
  "like_any_case",
  "in",
  "not_in",
  "less",
  "at_most",
  "greater",
  "at_least",
] as const;

export type Comparison = (typeof comparisons)[number];

/** What a clause is about: a field of the record, or a tag, parameter or metric by name. */
export interface Subject {
  readonly kind: "field" | "tag" | "param" | "metric";
  readonly name: string;
}

/** One comparison of a search. */
export interface SearchClause {
  readonly subject: Subject;
  readonly comparison: Comparison;
  readonly values: readonly string[];
}

/** One key of an order. */
export interface SearchOrder {
  readonly field: string;
  readonly descending: boolean;
}

const MAX_CLAUSES = 50;
const MAX_ORDERS = 10;
const MAX_VALUES = 1_000;

/** The fields that a search may ask about, and which of them are numbers. */
export type SearchFields = Readonly<Record<string, "text" | "number" | "time">>;

/** Throws SEARCH_INVALID for a clause or order that means nothing. */
export function assertSearch(
  clauses: readonly SearchClause[],
  orders: readonly SearchOrder[],
  fields: SearchFields,
): void {
  if (clauses.length > MAX_CLAUSES) throw invalid(`at most ${MAX_CLAUSES} clauses, got ${clauses.length}`);
  if (orders.length > MAX_ORDERS) throw invalid(`at most ${MAX_ORDERS} orders, got ${orders.length}`);
  for (const { subject, comparison, values } of clauses) {
    const kind =
      subject.kind === "field" ? fields[subject.name] : subject.kind === "metric" ? "number" : "text";
    if (kind === undefined)
      throw invalid(
        `there is no field ${JSON.stringify(subject.name)}; there are ${Object.keys(fields).join(", ")}`,
      );
    if (values.length === 0 || values.length > MAX_VALUES)
      throw invalid(`a clause has 1 to ${MAX_VALUES} values`);
    const numeric = kind !== "text";
    const likes = comparison === "like" || comparison === "like_any_case";
    const orders = ["less", "at_most", "greater", "at_least"].includes(comparison);
    if (numeric ? likes : orders)
      throw invalid(
        `${subject.name} is a ${numeric ? "number" : "text"} and cannot be compared by ${comparison}`,
      );
    if (numeric && values.some((value) => value.trim() === "" || Number.isNaN(Number(value))))
      throw invalid(`${subject.name} is a number`);
  }
}

function invalid(description: string): DomainError {
  return new DomainError("invalid_argument", "SEARCH_INVALID", `clauses: ${description}.`, {
    violations: [{ field: "clauses", description }],
  });
}
