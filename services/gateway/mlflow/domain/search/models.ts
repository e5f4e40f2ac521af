import { invalidParameter } from "../mlflow-error.ts";
import { taggedEntities } from "./entities.ts";
import {
  type Comparison,
  comparators,
  type EntityType,
  type Grammar,
  identifier,
  parseFilter,
  pythonSet,
} from "./grammar.ts";
import { orderParts } from "./order.ts";

const shared = {
  ...taggedEntities,
  nullable: [],
  comparators,
  quoteInvalid: false,
  textExpected: "Expected a quoted string value or a list of quoted string values for attributes",
  badComparator: (type: EntityType, key: string, comparator: string) =>
    `Invalid comparator for ${type}${key === "version_number" ? ` ${key}` : ""}: ${comparator}`,
};

const modelGrammar: Grammar = { ...shared, attributes: ["name"], numericAttributes: [], listAttributes: [] };

const versionGrammar: Grammar = {
  ...shared,
  attributes: ["name", "version_number", "run_id", "source_path"],
  numericAttributes: ["version_number"],
  listAttributes: ["name", "run_id"],
  numberOfText: `Only the '${pythonSet(["version_number", "creation_timestamp", "last_updated_timestamp"])}' attributes support comparison with numeric values.`,
};

/** What the registry calls the attributes of models and versions. */
export const modelFields: Readonly<Record<string, string>> = {
  timestamp: "updated_at",
  last_updated_timestamp: "updated_at",
  creation_timestamp: "created_at",
  version_number: "number",
  source_path: "source",
};

export function modelFilter(filter: string | undefined): readonly Comparison[] {
  return parseFilter(filter, modelGrammar).map(withoutLists);
}

export function versionFilter(filter: string | undefined): readonly Comparison[] {
  return parseFilter(filter, versionGrammar);
}

/** The order of registered models. */
export function modelOrder(clauses: readonly string[]) {
  const valid = ["name", "timestamp", "last_updated_timestamp"];
  return unique(clauses, (clause) => {
    const { name, ascending } = orderParts(clause);
    if (!valid.includes(name)) {
      throw invalidParameter(
        `Invalid order by key '${name}' specified. Valid keys are '${pythonSet(["name", "timestamp"])}'`,
      );
    }
    return { field: modelFields[name] ?? name, descending: !ascending };
  });
}

/** The order of versions. */
export function versionOrder(clauses: readonly string[]) {
  const valid = ["name", "version_number", "creation_timestamp", "last_updated_timestamp"];
  return unique(clauses, (clause) => {
    const { name, ascending } = orderParts(clause);
    const { key } = identifier(name, versionGrammar, valid);
    return { field: modelFields[key] ?? key, descending: !ascending };
  });
}

function unique(
  clauses: readonly string[],
  read: (clause: string) => { readonly field: string; readonly descending: boolean },
) {
  const orders = clauses.map(read);
  const fields = new Set(orders.map(({ field }) => field));
  if (fields.size === orders.length) return orders;
  const listed = clauses.map((clause) => `'${clause}'`).join(", ");
  throw invalidParameter(`\`order_by\` contains duplicate fields: [${listed}]`);
}

function withoutLists(comparison: Comparison): Comparison {
  if (comparison.type !== "attribute" || !Array.isArray(comparison.value)) return comparison;
  throw invalidParameter(`Invalid comparator for attribute: ${comparison.comparator}`);
}
