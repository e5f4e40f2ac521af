import { invalidParameter } from "../mlflow-error.ts";
import { loggedModelEntities } from "./entities.ts";
import { type Comparison, comparators, type Grammar, parseFilter } from "./grammar.ts";

const times = ["creation_timestamp", "creation_time", "last_updated_timestamp", "last_updated_time"];

const grammar: Grammar = {
  ...loggedModelEntities,
  attributes: ["name", "model_id", "model_type", "status", "source_run_id", ...times],
  numericAttributes: times,
  listAttributes: undefined,
  nullable: ["tag", "parameter"],
  comparators,
  quoteInvalid: true,
  textExpected: "Expected a quoted string value for attributes",
};

/** A filter of logged models, which MLflow does not compare with NULL. Throws INVALID_PARAMETER_VALUE in its words. */
export function loggedModelFilter(filter: string | undefined): readonly Comparison[] {
  const comparisons = parseFilter(filter, grammar);
  const lone = comparisons.find(({ value }) => value === undefined);
  if (lone === undefined) return comparisons;
  const name = `${lone.type === "tag" ? "tags" : "params"}.${lone.key}`;
  throw invalidParameter(
    `Invalid comparison: ${name}${lone.comparator}. Expected a comparison with 3 tokens.`,
  );
}

/** What the registry calls the attributes of a logged model. */
export const loggedModelFields: Readonly<Record<string, string>> = {
  source_run_id: "run_id",
  creation_timestamp: "created_at",
  creation_time: "created_at",
  last_updated_timestamp: "updated_at",
  last_updated_time: "updated_at",
};

/** The registry's name of what logged models are ordered by. */
export function loggedModelOrder(field: string): string {
  if (field.includes(".")) {
    const [entity = "", ...rest] = field.split(".");
    if (entity === "metrics") return `metric:${rest.join(".")}`;
    throw invalidParameter(`Invalid order by field name: ${field}. Only metrics are supported.`);
  }
  const name = field.trim();
  if (grammar.attributes.includes(name)) return loggedModelFields[name] ?? name;
  throw invalidParameter(`Invalid order by field name: ${name}.`);
}
