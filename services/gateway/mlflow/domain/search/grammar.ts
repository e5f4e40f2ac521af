import { invalidParameter } from "../mlflow-error.ts";
import { assertLength } from "../names.ts";
import { type Clause, clausesOf, type Token } from "./tokens.ts";

export type EntityType = "metric" | "parameter" | "tag" | "attribute" | "dataset";

/** One comparison of a filter, checked. */
export interface Comparison {
  readonly type: EntityType;
  readonly key: string;
  readonly comparator: string;
  readonly value: string | number | readonly string[] | undefined;
}

/** What differs between the filters of runs, experiments, models and versions. */
export interface Grammar {
  /** What may stand before the first point, and what it means. */
  readonly entities: Readonly<Record<string, EntityType>>;
  /** What MLflow says of another. */
  readonly unknownEntity: (entity: string) => string;
  readonly attributes: readonly string[];
  readonly numericAttributes: readonly string[];
  /** Attributes that may be compared with a list; undefined: all. */
  readonly listAttributes: readonly string[] | undefined;
  /** Types that may be compared with NULL. */
  readonly nullable: readonly EntityType[];
  readonly comparators: Readonly<Record<"number" | "text", readonly string[]>>;
  /** MLflow quotes the clauses that it refuses in a run's filter only. */
  readonly quoteInvalid: boolean;
  /** What MLflow says of an attribute's value that is no text. */
  readonly textExpected: string;
  /** What MLflow's registry says of a comparator that is none, looking at it before the value; absent: what its tracking store says. */
  readonly badComparator?: (type: EntityType, key: string, comparator: string) => string;
  /** What MLflow says of a number where an attribute is a text; absent: textExpected. */
  readonly numberOfText?: string;
}

/** Characters of a filter. */
const MAX_FILTER = 100_000;

const numeric = [">", ">=", "!=", "=", "<", "<="];
const textual = ["!=", "=", "LIKE", "ILIKE"];
export const comparators = { number: numeric, text: textual } as const;

/** Reads a filter. Throws INVALID_PARAMETER_VALUE in MLflow's words. */
export function parseFilter(filter: string | undefined, grammar: Grammar): readonly Comparison[] {
  if (filter === undefined || filter.trim() === "") return [];
  assertLength("filter", MAX_FILTER, filter);
  return clausesOf(filter, grammar.quoteInvalid).map((clause) => comparison(clause, grammar));
}

function comparison(clause: Clause, grammar: Grammar): Comparison {
  const { type, key } = identifier(clause.name, grammar, grammar.attributes);
  const comparator = clause.comparator.toUpperCase();
  if (clause.value === undefined) {
    if (!grammar.nullable.includes(type)) {
      throw invalidParameter(
        grammar.nullable.includes("parameter")
          ? `IS NULL / IS NOT NULL is only supported for tags and params, not for '${type}' '${key}'`
          : `IS NULL / IS NOT NULL is only supported for tags, not for attribute '${key}'`,
      );
    }
    return { type, key, comparator, value: undefined };
  }
  if (grammar.badComparator !== undefined) assertComparator(type, key, clause.comparator, grammar);
  const value = comparedValue(type, key, clause.value, grammar);
  assertComparator(type, key, clause.comparator, grammar);
  return { type, key, comparator, value };
}

/** The type and key that a name means. */
export function identifier(
  name: string,
  { entities, unknownEntity }: Grammar,
  attributes: readonly string[],
): { readonly type: EntityType; readonly key: string } {
  const at = name.startsWith("`") ? name.indexOf(".", name.indexOf("`", 1)) : name.indexOf(".");
  const entity = at < 0 ? undefined : unquoted(name.slice(0, at), "`");
  const known = entity === undefined || Object.hasOwn(entities, entity);
  const type = entity === undefined ? "attribute" : known ? entities[entity] : undefined;
  if (type === undefined) throw invalidParameter(unknownEntity(entity ?? ""));
  const key = unquoted(unquoted(name.slice(at + 1), '"'), "`");
  if (type === "attribute" && !attributes.includes(key)) {
    throw invalidParameter(
      `Invalid attribute key '${key}' specified. Valid keys are '${pythonSet(attributes)}'`,
    );
  }
  if (type === "dataset" && !["name", "digest", "context"].includes(key)) {
    throw invalidParameter(
      `Invalid dataset key '${key}' specified. Valid keys are '${pythonSet(["name", "digest", "context"])}'`,
    );
  }
  return { type, key };
}

function comparedValue(type: EntityType, key: string, token: Token, grammar: Grammar): Comparison["value"] {
  if (type === "metric") {
    if (token.kind === "number") return Number(token.text);
    throw invalidParameter(`Expected numeric value type for metric. Found ${token.text}`);
  }
  if (type === "parameter" || type === "tag") {
    if (token.kind === "text" || token.kind === "name") return quotedText(token);
    throw invalidParameter(
      `Expected a quoted string value for ${type} (e.g. 'my-value'). Got value ${token.text}`,
    );
  }
  if (type === "attribute" && token.kind === "number" && grammar.numberOfText !== undefined) {
    if (!grammar.numericAttributes.includes(key)) throw invalidParameter(grammar.numberOfText);
  }
  if (type === "attribute" && grammar.numericAttributes.includes(key)) {
    if (token.kind === "number") return Number(token.text);
    throw invalidParameter(`Expected numeric value type for numeric attribute: ${key}. Found ${token.text}`);
  }
  if (token.kind === "text" || token.kind === "name") return quotedText(token);
  if (token.kind === "list") {
    if (type === "attribute" && grammar.listAttributes?.includes(key) === false) {
      throw invalidParameter(
        `Only [${grammar.listAttributes
          .toSorted()
          .map((name) => `'${name}'`)
          .join(", ")}] attributes support comparison with a list of quoted string values.`,
      );
    }
    return listOf(token.text);
  }
  throw invalidParameter(
    type === "dataset"
      ? `Expected a quoted string value for dataset attributes. Got value ${token.text}`
      : `${grammar.textExpected}. Got value ${token.text}`,
  );
}

function quotedText({ text }: Token): string {
  if (/^'.*'$|^".*"$/s.test(text)) return text.slice(1, -1);
  throw invalidParameter(
    `Parameter value is either not quoted or unidentified quote types used for string value ${text}. Use either single or double quotes.`,
  );
}

function listOf(text: string): readonly string[] {
  const inner = text.slice(1, -1).trim();
  if (inner === "") {
    throw invalidParameter(
      "While parsing a list in the query, expected a non-empty list of string values, but got empty list",
    );
  }
  const items = /^(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*\s*,?$/.test(inner)
    ? [...inner.matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double ?? "")
    : undefined;
  if (items !== undefined) return items;
  throw invalidParameter(
    "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.",
  );
}

function assertComparator(type: EntityType, key: string, comparator: string, grammar: Grammar): void {
  const isNumber = type === "metric" || (type === "attribute" && grammar.numericAttributes.includes(key));
  const lists = type === "dataset" || type === "attribute" ? ["IN", "NOT IN"] : [];
  const nulls = grammar.nullable.includes(type) ? ["IS NULL", "IS NOT NULL"] : [];
  const valid = isNumber ? grammar.comparators.number : [...grammar.comparators.text, ...lists, ...nulls];
  if (valid.includes(comparator.toUpperCase())) return;
  if (grammar.badComparator !== undefined)
    throw invalidParameter(grammar.badComparator(type, key, comparator));
  throw invalidParameter(`Invalid comparator '${comparator.toUpperCase()}' not one of '${pythonSet(valid)}'`);
}

function unquoted(text: string, quote: string): string {
  return text.length >= 2 && text.startsWith(quote) && text.endsWith(quote) ? text.slice(1, -1) : text;
}

/** A set as Python prints it, in an order of its own. */
export function pythonSet(items: readonly string[]): string {
  return `{${items.map((item) => `'${item}'`).join(", ")}}`;
}
