import type { PageQuery } from "@trainyard/service";
import {
  decodePageToken,
  encodePageToken,
  type IndexSpec,
  type Json,
  type Store,
  type Tx,
} from "@trainyard/store";
import type { Document } from "mongodb";
import {
  type LoggedModel,
  loggedModelNotFound,
  type ModelMetric,
  withPoints,
} from "../domain/logged-model.ts";
import type { StoredFile } from "../domain/model-version.ts";
import { assertSearch, type SearchClause, type SearchOrder } from "../domain/search-clause.ts";
import { createModelPoints, modelPointIndexes } from "./model-points.ts";
import type { Page } from "./model-repository.ts";
import { comparisonOf, type SearchSchema, searchFilter, searchSort } from "./search-filter.ts";

/** A model that a run was given or made. */
export interface ModelLink {
  readonly runId: string;
  readonly modelId: string;
  readonly output: boolean;
  readonly step: number;
}

export interface LoggedModelSearch {
  readonly project: string;
  readonly experimentIds: readonly string[];
  readonly clauses: readonly SearchClause[];
  readonly orders: readonly SearchOrder[];
  readonly datasets: readonly { readonly name: string; readonly digest: string }[];
}

type ModelDocument = Omit<LoggedModel, "id"> & { readonly _id: string; readonly schemaVersion: 2 };
type FileDocument = StoredFile & {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly modelId: string;
};
type LinkDocument = ModelLink & {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly at: Date;
};

const names = { models: "logged_models", files: "logged_model_files", links: "model_links" } as const;

export const loggedModelIndexes: readonly IndexSpec[] = [
  ...modelPointIndexes,
  { collection: names.models, key: { project: 1, experimentId: 1, createdAt: -1 }, name: "experiment" },
  { collection: names.files, key: { modelId: 1, path: 1 }, name: "path", unique: true },
  { collection: names.links, key: { project: 1, runId: 1, at: 1 }, name: "run" },
];

const schema: SearchSchema = {
  fields: {
    name: "text",
    model_id: "text",
    model_type: "text",
    status: "text",
    run_id: "text",
    created_at: "time",
    updated_at: "time",
  },
  paths: {
    model_id: "_id",
    model_type: "modelType",
    run_id: "sourceRunId",
    created_at: "createdAt",
    updated_at: "updatedAt",
  },
};

const decidingExtreme: Readonly<Partial<Record<SearchClause["comparison"], "min" | "max">>> = {
  ...{ less: "min", at_most: "min", greater: "max", at_least: "max" },
};

/** Logged models, their files and what runs they belong to. */
export type LoggedModels = ReturnType<typeof createLoggedModels>;

export function createLoggedModels(store: Store) {
  const models = () => store.collection<ModelDocument>(names.models);
  const files = () => store.collection<FileDocument>(names.files);
  const links = () => store.collection<LinkDocument>(names.links);
  const points = createModelPoints(store);
  const inTx = (tx: Tx | undefined) => (tx === undefined ? {} : { session: tx.session });

  /**
   * That a point of the metric, on one of the datasets, passes. For an ordered comparison the smallest and the largest tell; for any
   * other the points are asked.
   */
  async function metricCondition(
    { project, experimentIds }: LoggedModelSearch,
    clause: SearchClause,
    onDatasets: readonly Document[],
  ): Promise<Document> {
    const on = onDatasets.length === 0 ? {} : { $or: [...onDatasets] };
    const key = clause.subject.name;
    const value = comparisonOf(clause, schema);
    const extreme = decidingExtreme[clause.comparison];
    if (extreme !== undefined) return { series: { $elemMatch: { key, [extreme]: value, ...on } } };
    const ids = await points.modelsWith(project, experimentIds, key, { value, ...on });
    return { _id: { $in: [...ids] } };
  }

  async function save({ id, ...rest }: LoggedModel, tx: Tx): Promise<void> {
    await models().replaceOne({ _id: id }, { ...rest, schemaVersion: 2 }, inTx(tx));
  }

  return {
    points,
    save,

    /** Adds points; the model is written too, so that of two at once one comes after the other. Throws LIMIT_EXCEEDED. */
    async append(model: LoggedModel, more: readonly ModelMetric[], tx: Tx): Promise<void> {
      await save(withPoints(model, more), tx);
      await points.append(model, more, tx);
    },

    async insert(model: LoggedModel, tx: Tx): Promise<void> {
      const { id, ...rest } = model;
      await models().insertOne({ ...rest, _id: id, schemaVersion: 2 }, inTx(tx));
    },

    /** Throws LOGGED_MODEL_NOT_FOUND, also for a deleted one unless those are wanted. */
    async get(project: string, id: string, tx?: Tx, allowDeleted = false): Promise<LoggedModel> {
      const found = await models().findOne({ _id: id, project }, inTx(tx));
      if (found === null || (found.deleted && !allowDeleted)) throw loggedModelNotFound(id);
      return modelOf(found);
    },

    async files(modelId: string, tx?: Tx): Promise<readonly StoredFile[]> {
      const found = await files().find({ modelId }, inTx(tx)).sort({ path: 1 }).toArray();
      return found.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes }));
    },

    async putFile(project: string, modelId: string, file: StoredFile, tx: Tx): Promise<void> {
      const replacement = { ...file, project, modelId, schemaVersion: 1 } as const;
      await files().replaceOne({ _id: `${modelId}/${file.path}` }, replacement, {
        ...inTx(tx),
        upsert: true,
      });
    },

    async deleteFiles(modelId: string, paths: readonly string[], tx: Tx): Promise<void> {
      await files().deleteMany({ modelId, path: { $in: [...paths] } }, inTx(tx));
    },

    async link(project: string, given: readonly ModelLink[], at: Date): Promise<void> {
      if (given.length === 0) return;
      await links().bulkWrite(
        given.map((link) => ({
          updateOne: {
            filter: { _id: `${link.runId} ${link.modelId} ${link.output ? "out" : "in"}` },
            update: { $set: { ...link, project, schemaVersion: 1 }, $setOnInsert: { at } },
            upsert: true,
          },
        })),
        { writeConcern: { w: "majority", j: true } },
      );
    },

    async linksOf(project: string, runIds: readonly string[]): Promise<readonly ModelLink[]> {
      return links()
        .find({ project, runId: { $in: [...runIds] } })
        .sort({ at: 1, _id: 1 })
        .toArray();
    },

    async search(search: LoggedModelSearch, page: PageQuery): Promise<Page<LoggedModel>> {
      const { project, experimentIds, clauses, orders, datasets } = search;
      const byField = orders.filter(({ field }) => !field.startsWith("metric:"));
      assertSearch(clauses, byField, schema.fields);
      const query: Json = {
        search: names.models,
        project,
        of: JSON.stringify([experimentIds, clauses, orders, datasets]),
      };
      const after = decodePageToken(page.token, query);
      const skip = typeof after === "number" ? after : 0;
      const onDatasets = datasets.map(({ name, digest }) => ({
        datasetName: name,
        ...(digest === "" ? {} : { datasetDigest: digest }),
      }));
      const isMetric = ({ subject }: SearchClause) => subject.kind === "metric";
      const ofMetrics = await Promise.all(
        clauses.filter(isMetric).map((clause) => metricCondition(search, clause, onDatasets)),
      );
      const conditions: Document[] = [
        { project, deleted: false, experimentId: { $in: [...experimentIds] } },
        ...searchFilter(
          clauses.filter((clause) => !isMetric(clause)),
          schema,
        ),
        ...ofMetrics,
        ...(onDatasets.length === 0 ? [] : [{ series: { $elemMatch: { $or: onDatasets } } }]),
      ];
      const metricOrders = orders.filter(({ field }) => field.startsWith("metric:"));
      const computed = Object.fromEntries(
        metricOrders.map(({ field }, index) => [
          `order${index}`,
          lastValue(field.slice("metric:".length), datasets),
        ]),
      );
      const renamed = orders.map((order) => ({ ...order, field: orderField(order.field, metricOrders) }));
      const found = await models()
        .aggregate<Document>([
          { $match: { $and: conditions } },
          ...(metricOrders.length === 0 ? [] : [{ $addFields: { ...computed, ...missing(computed) } }]),
          { $sort: searchSort(renamed.flatMap(missingLast), schema.paths, { createdAt: -1, _id: 1 }) },
          { $skip: skip },
          { $limit: page.size + 1 },
          {
            $project: Object.fromEntries(
              [...Object.keys(computed), ...Object.keys(missing(computed)), "unused"].map((name) => [
                name,
                0,
              ]),
            ),
          },
        ])
        .toArray();
      const items = found.slice(0, page.size).map((document) => modelOf(document as ModelDocument)); // With what was computed taken out again.
      return {
        items,
        nextPageToken: found.length > page.size ? encodePageToken(query, skip + page.size) : "",
      };
    },
  };
}

function modelOf({ _id, schemaVersion: _, ...rest }: ModelDocument): LoggedModel {
  return { ...rest, id: _id };
}

/** The last value of a metric, on the datasets when some are asked for. */
function lastValue(key: string, datasets: LoggedModelSearch["datasets"]): Document {
  const on = datasets.map(({ name, digest }) => ({
    $and: [
      { $eq: ["$$metric.datasetName", name] },
      ...(digest === "" ? [] : [{ $eq: ["$$metric.datasetDigest", digest] }]),
    ],
  }));
  const cond = {
    $and: [{ $eq: ["$$metric.key", { $literal: key }] }, ...(on.length === 0 ? [] : [{ $or: on }])],
  };
  return {
    $last: {
      $map: {
        input: { $filter: { input: "$series", as: "metric", cond } },
        as: "metric",
        in: "$$metric.value",
      },
    },
  };
}

function missing(computed: Document): Document {
  return Object.fromEntries(
    Object.entries(computed).map(([name, value]) => [
      `${name}missing`,
      { $cond: [{ $eq: [{ $ifNull: [value, null] }, null] }, 1, 0] },
    ]),
  );
}

/** Models without the metric come last, whichever the direction. */
function missingLast(order: SearchOrder): readonly SearchOrder[] {
  return /^order\d+$/.test(order.field)
    ? [{ field: `${order.field}missing`, descending: false }, order]
    : [order];
}

function orderField(field: string, metricOrders: readonly SearchOrder[]): string {
  const index = metricOrders.findIndex((order) => order.field === field);
  return index < 0 ? field : `order${index}`;
}
