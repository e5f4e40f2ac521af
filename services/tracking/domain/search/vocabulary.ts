import type { Column } from "./comparison.ts";

/** What kind of value an attribute has. Times are milliseconds since 1970, or ISO 8601 in quotes. */
export type AttributeType = "text" | "time" | "status";

/** What may stand in a search of one kind of thing. */
export interface Vocabulary {
  /** What is searched, as messages name it. */
  readonly things: "runs" | "experiments";
  /** Its kinds of columns. */
  readonly kinds: readonly Column["kind"][];
  /** Its attributes by name. */
  readonly attributes: Readonly<Record<string, AttributeType>>;
  /** Other names of attributes. */
  readonly aliases: Readonly<Record<string, string>>;
}

export const runVocabulary: Vocabulary = {
  things: "runs",
  kinds: ["metric", "param", "tag", "attribute", "dataset"],
  attributes: {
    run_id: "text",
    run_name: "text",
    status: "status",
    start_time: "time",
    end_time: "time",
    user_id: "text",
    artifact_uri: "text",
    experiment_id: "text",
    job_id: "text",
    parent_run_id: "text",
    created_at: "time",
    updated_at: "time",
  },
  aliases: {
    created: "start_time",
    Created: "start_time",
    "run name": "run_name",
    "Run name": "run_name",
    "Run Name": "run_name",
    name: "run_name",
    created_by: "user_id",
  },
};

export const experimentVocabulary: Vocabulary = {
  things: "experiments",
  kinds: ["tag", "attribute"],
  attributes: {
    experiment_id: "text",
    name: "text",
    owner: "text",
    creation_time: "time",
    last_update_time: "time",
  },
  aliases: {},
};

/** The words before the dot, by the kind of column that they begin. */
export const prefixes: Readonly<Record<string, Column["kind"]>> = {
  metric: "metric",
  metrics: "metric",
  param: "param",
  params: "param",
  parameter: "param",
  parameters: "param",
  tag: "tag",
  tags: "tag",
  attribute: "attribute",
  attributes: "attribute",
  attr: "attribute",
  run: "attribute",
  dataset: "dataset",
  datasets: "dataset",
};

/** The attribute's own name; undefined for one that there is not. */
export function attributeName(vocabulary: Vocabulary, name: string): string | undefined {
  const own = Object.hasOwn(vocabulary.aliases, name) ? vocabulary.aliases[name] : name;
  return own !== undefined && Object.hasOwn(vocabulary.attributes, own) ? own : undefined;
}
