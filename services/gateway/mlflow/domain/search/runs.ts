import type { Comparison, EntityType, Grammar } from "./grammar.ts";
import { comparators, parseFilter } from "./grammar.ts";
import { parseOrder } from "./order.ts";

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
  entities: {
    metric: "metric",
    metrics: "metric",
    parameter: "parameter",
    parameters: "parameter",
    param: "parameter",
    params: "parameter",
    tag: "tag",
    tags: "tag",
    attribute: "attribute",
    attr: "attribute",
    attributes: "attribute",
    run: "attribute",
    dataset: "dataset",
    datasets: "dataset",
  },
  unknownEntity: (entity) =>
    `Invalid entity type '${entity}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`,
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

const entityNames: Readonly<Record<EntityType, string>> = {
  metric: "metrics",
  parameter: "params",
  tag: "tags",
  attribute: "attributes",
  dataset: "dataset",
};

/** A filter of runs, in the tracking service's words; statuses it knows by MLflow's. Throws INVALID_PARAMETER_VALUE in MLflow's. */
export function runFilter(filter: string | undefined): string {
  return parseFilter(filter, grammar).map(written).join(" AND ");
}

/** An order of runs, in the tracking service's words. */
export function runOrder(clause: string): string {
  const { type, key, ascending } = parseOrder(clause, grammar, orderAttributes);
  return `${nameOf(type, key)} ${ascending ? "ASC" : "DESC"}`;
}

function written({ type, key, comparator, value }: Comparison): string {
  const name = nameOf(type, key);
  if (value === undefined) return `${name} ${comparator}`;
  if (typeof value === "number") return `${name} ${comparator} ${value}`;
  if (typeof value === "string") return `${name} ${comparator} ${quoted(value)}`;
  return `${name} ${comparator} (${value.map(quoted).join(", ")})`;
}

function nameOf(type: EntityType, key: string): string {
  if (type === "attribute") return `attributes.${attributeNames[key] ?? key}`;
  if (type === "dataset") return `dataset.${key}`;
  return `${entityNames[type]}.${key.includes("`") ? `"${key}"` : `\`${key}\``}`;
}

function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}
