import type { EntityType, Grammar } from "./grammar.ts";

type Entities = Pick<Grammar, "entities" | "unknownEntity">;

const ofLogged: Readonly<Record<string, EntityType>> = {
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
};

const unknownOfLogged = (entity: string) =>
  `Invalid entity type '${entity}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`;

/** What may stand before the point in a filter of runs. */
export const runEntities: Entities = {
  entities: { ...ofLogged, dataset: "dataset", datasets: "dataset" },
  unknownEntity: unknownOfLogged,
};

/** The same of logged models, of which MLflow names datasets in its message and takes none. */
export const loggedModelEntities: Entities = { entities: ofLogged, unknownEntity: unknownOfLogged };

/** The same of what has only attributes and tags: experiments, registered models and their versions. */
export const taggedEntities: Entities = {
  entities: { attribute: "attribute", tag: "tag", tags: "tag" },
  unknownEntity: (entity) =>
    `Invalid entity type '${entity}'. Valid entity types are ('attribute', 'tag', 'tags')`,
};
