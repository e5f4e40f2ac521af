import { type Aggregate, aggregates, type Column } from "./comparison.ts";
import type { Cursor } from "./cursor.ts";
import { attributeName, prefixes, type Vocabulary } from "./vocabulary.ts";

const PLAIN_KEY = /^[\p{L}\p{N}_./-]+/u;
const WORD = /^[\p{L}\p{N}_]+/u;
const datasetFields = ["name", "digest", "context"] as const;

/** How columns are read. */
export interface ColumnOptions {
  readonly vocabulary: Vocabulary;
  /** Whether `metrics.loss.min` is the metric of that name, as MLflow has it, and not the smallest value of `loss`. */
  readonly plainMetricKeys?: boolean;
}

/** Reads what a comparison or an order is about, such as `metrics.loss.min`, `params."a b"` or `status`. */
export function parseColumn(cursor: Cursor, options: ColumnOptions): Column {
  const { vocabulary } = options;
  const at = cursor.at;
  const quoted = cursor.takeQuoted('`"');
  if (quoted !== undefined) return attribute(cursor, vocabulary, quoted, at);
  const word = cursor.take(WORD);
  if (word === undefined) throw cursor.failure(columnWords(vocabulary));
  const kind = Object.hasOwn(prefixes, word) ? prefixes[word] : undefined;
  if (!cursor.takeAdjacent(".")) return attribute(cursor, vocabulary, word, at);
  if (kind === undefined || !vocabulary.kinds.includes(kind)) {
    throw cursor.failure(columnWords(vocabulary), at);
  }
  const keyAt = cursor.at;
  const key = cursor.takeQuoted('`"');
  if (key === "") throw cursor.failure("a key of at least one character", keyAt);
  if (kind === "metric") return metric(cursor, key, options);
  const name = key ?? cursor.take(PLAIN_KEY);
  if (name === undefined) throw cursor.failure(`a key after ${word}.`, keyAt);
  if (kind === "attribute") return attribute(cursor, vocabulary, name, keyAt);
  if (kind !== "dataset") return { kind, key: name };
  const field = datasetFields.find((known) => known === name);
  if (field === undefined) throw cursor.failure(`one of dataset.${datasetFields.join(", dataset.")}`, keyAt);
  return { kind, field };
}

function metric(cursor: Cursor, quoted: string | undefined, { plainMetricKeys }: ColumnOptions): Column {
  if (quoted !== undefined) {
    if (plainMetricKeys === true || !cursor.takeAdjacent(".")) {
      return { kind: "metric", key: quoted, aggregate: "last" };
    }
    const at = cursor.at;
    const named = aggregateOf(cursor.take(WORD) ?? "");
    if (named === undefined) throw cursor.failure(`one of ${aggregates.join(", ")}`, at);
    return { kind: "metric", key: quoted, aggregate: named };
  }
  const plain = cursor.take(PLAIN_KEY);
  if (plain === undefined) throw cursor.failure("the name of a metric");
  const dot = plain.lastIndexOf(".");
  const aggregate = plainMetricKeys === true || dot < 1 ? undefined : aggregateOf(plain.slice(dot + 1));
  if (aggregate === undefined) return { kind: "metric", key: plain, aggregate: "last" };
  return { kind: "metric", key: plain.slice(0, dot), aggregate };
}

function aggregateOf(word: string): Aggregate | undefined {
  return aggregates.find((known) => known === word);
}

function attribute(cursor: Cursor, vocabulary: Vocabulary, name: string, at: number): Column {
  const known = attributeName(vocabulary, name);
  if (known === undefined) throw cursor.failure(columnWords(vocabulary), at);
  return { kind: "attribute", name: known };
}

function columnWords({ kinds, attributes }: Vocabulary): string {
  const examples: Record<Column["kind"], string> = {
    metric: "metrics.<key>",
    param: "params.<key>",
    tag: "tags.<key>",
    dataset: "dataset.name",
    attribute: `an attribute (${Object.keys(attributes).join(", ")})`,
  };
  return kinds.map((kind) => examples[kind]).join(", ");
}
