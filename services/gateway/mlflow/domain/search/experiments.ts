import { taggedEntities } from "./entities.ts";
import { comparators, type Grammar, parseFilter } from "./grammar.ts";
import { parseOrder } from "./order.ts";
import { trackingFilter, trackingOrder } from "./tracking-words.ts";

const attributes = ["name", "experiment_id", "creation_time", "last_update_time"];

const grammar: Grammar = {
  ...taggedEntities,
  attributes,
  numericAttributes: ["creation_time", "last_update_time"],
  listAttributes: ["experiment_id"],
  nullable: ["tag"],
  comparators,
  quoteInvalid: false,
  textExpected: "Expected a quoted string value for attributes",
};

/** A filter of experiments, in the tracking service's words. Throws INVALID_PARAMETER_VALUE in MLflow's. */
export function experimentFilter(filter: string | undefined): string {
  return trackingFilter(parseFilter(filter, grammar));
}

/** An order of experiments, in the tracking service's words. */
export function experimentOrder(clause: string): string {
  return trackingOrder(parseOrder(clause, grammar, attributes));
}
