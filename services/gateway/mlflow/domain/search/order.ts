import { invalidParameter } from "../mlflow-error.ts";
import { type EntityType, type Grammar, identifier } from "./grammar.ts";

/** One key of an order. */
export interface Order {
  readonly type: EntityType;
  readonly key: string;
  readonly ascending: boolean;
}

/** Reads `metrics.loss DESC`. Throws INVALID_PARAMETER_VALUE in MLflow's words. */
export function parseOrder(clause: string, grammar: Grammar, attributes: readonly string[]): Order {
  const { name, ascending } = orderParts(clause);
  return { ...identifier(name, grammar, attributes), ascending };
}

/** The name and the direction of an order. */
export function orderParts(clause: string): { readonly name: string; readonly ascending: boolean } {
  const parts = clause.trim().match(/(?:`[^`]*`|"[^"]*"|[^\s`"])+/g) ?? [];
  const [name, direction] = parts;
  if (name === undefined || parts.length > 2 || !/^[\p{L}_`"]/u.test(name)) {
    throw invalidParameter(`Invalid order_by clause '${clause}'. Could not be parsed.`);
  }
  const lower = direction?.toLowerCase() ?? "asc";
  if (lower !== "asc" && lower !== "desc") {
    throw invalidParameter(`Invalid ordering key in order_by clause '${clause}'.`);
  }
  return { name, ascending: lower === "asc" };
}
