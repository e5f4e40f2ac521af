import { runEntities } from "./entities.ts";
import { comparators, type Grammar, parseFilter } from "./grammar.ts";
import { parseOrder } from "./order.ts";
import { trackingFilter, trackingOrder } from "./tracking-words.ts";

const attributes = [
  "status",
  "artifact_uri",
  "run_name",
  "run_id",
  "user_id",
  "start_time",
  "end_time",
  "created",
  "Created",
  "run name",
  "Run name",
  "Run Name",
];

const orderAttributes = [
  "status",
  "artifact_uri",
  "start_time",
  "end_time",
  "run_name",
  "run_id",
  "user_id",
  "created",
  "Created",
];

const grammar: Grammar = {
  ...runEntities,
  attributes,
  numericAttributes: ["start_time", "end_time", "created", "Created"],
  listAttributes: ["run_id"],
  nullable: ["tag", "parameter"],
  comparators,
  quoteInvalid: true,
  textExpected: "Expected a quoted string value for attributes",
};

/** What the tracking service calls an attribute of a run. */
const attributeNames: Readonly<Record<string, string>> = {
  created: "start_time",
  Created: "start_time",
  "run name": "run_name",
  "Run name": "run_name",
  "Run Name": "run_name",
};

/** A filter of runs, in the tracking service's words; statuses it knows by MLflow's. Throws INVALID_PARAMETER_VALUE in MLflow's. */
export function runFilter(filter: string | undefined): string {
  return trackingFilter(parseFilter(filter, grammar), attributeNames);
}

/** An order of runs, in the tracking service's words. */
export function runOrder(clause: string): string {
  return trackingOrder(parseOrder(clause, grammar, orderAttributes), attributeNames);
}
