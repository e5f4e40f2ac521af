import type { Comparison, EntityType } from "./grammar.ts";
import type { Order } from "./order.ts";

/** Before the point, as the tracking service has it. */
const entityNames: Readonly<Record<EntityType, string>> = {
  metric: "metrics",
  parameter: "params",
  tag: "tags",
  attribute: "attributes",
  dataset: "dataset",
};

/** What the tracking service calls attributes that it names otherwise. */
type AttributeNames = Readonly<Record<string, string>>;

/** A filter in the tracking service's words. */
export function trackingFilter(comparisons: readonly Comparison[], names: AttributeNames = {}): string {
  return comparisons.map((comparison) => written(comparison, names)).join(" AND ");
}

/** An order in the tracking service's words. */
export function trackingOrder({ type, key, ascending }: Order, names: AttributeNames = {}): string {
  return `${nameOf(type, key, names)} ${ascending ? "ASC" : "DESC"}`;
}

function written({ type, key, comparator, value }: Comparison, names: AttributeNames): string {
  const name = nameOf(type, key, names);
  if (value === undefined) return `${name} ${comparator}`;
  if (typeof value === "number") return `${name} ${comparator} ${value}`;
  if (typeof value === "string") return `${name} ${comparator} ${quoted(value, "'")}`;
  return `${name} ${comparator} (${value.map((text) => quoted(text, "'")).join(", ")})`;
}

function nameOf(type: EntityType, key: string, names: AttributeNames): string {
  if (type === "attribute") return `attributes.${names[key] ?? key}`;
  if (type === "dataset") return `dataset.${key}`;
  return `${entityNames[type]}.${quoted(key, "`")}`;
}

/** In quotes, those within doubled. */
function quoted(text: string, quote: string): string {
  return quote + text.replaceAll(quote, quote + quote) + quote;
}
