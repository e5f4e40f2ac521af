import { type Comparison, comparators, type Grammar, parseFilter } from "./grammar.ts";
import { parseOrder } from "./order.ts";

const attributes = ["name", "experiment_id", "creation_time", "last_update_time"];

const grammar: Grammar = {
  entities: { attribute: "attribute", tag: "tag", tags: "tag" },
  unknownEntity: (entity) =>
    `Invalid entity type '${entity}'. Valid entity types are ('attribute', 'tag', 'tags')`,
  attributes,
  numericAttributes: ["creation_time", "last_update_time"],
  listAttributes: ["experiment_id"],
  nullable: ["tag"],
  comparators,
  quoteInvalid: false,
  textExpected: "Expected a quoted string value for attributes",
};

/** A filter of experiments, checked; the tracking service reads it as it is written here. */
export function experimentFilter(filter: string | undefined): string {
  return parseFilter(filter, grammar).map(written).join(" AND ");
}

/** An order of experiments, checked. */
export function experimentOrder(clause: string): string {
  const { type, key, ascending } = parseOrder(clause, grammar, attributes);
  return `${nameOf(type, key)} ${ascending ? "ASC" : "DESC"}`;
}

function written({ type, key, comparator, value }: Comparison): string {
  const name = nameOf(type, key);
  if (value === undefined) return `${name} ${comparator}`;
  if (typeof value === "number") return `${name} ${comparator} ${value}`;
  if (typeof value === "string") return `${name} ${comparator} ${quoted(value)}`;
  return `${name} ${comparator} (${value.map(quoted).join(", ")})`;
}

const nameOf = (type: Comparison["type"], key: string) =>
  type === "tag" ? `tags.${key.includes("`") ? `"${key}"` : `\`${key}\``}` : `attributes.${key}`;

function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}
