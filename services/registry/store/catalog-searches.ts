import type { PageQuery } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json, type Store } from "@trainyard/store";
import type { Document } from "mongodb";
import type { Model, ModelVersion } from "../domain/model-version.ts";
import { assertSearch, type SearchClause, type SearchOrder } from "../domain/search-clause.ts";
import { collections, fromDocument, type ModelDocument, type ModelVersionDocument } from "./documents.ts";
import type { Page } from "./model-repository.ts";
import { type SearchSchema, searchFilter, searchSort } from "./search-filter.ts";

/** What a search is for. */
export interface Search {
  readonly project: string;
  readonly clauses: readonly SearchClause[];
  readonly orders: readonly SearchOrder[];
}

const modelSchema: SearchSchema = {
  fields: { name: "text", created_at: "time", updated_at: "time" },
  paths: { created_at: "createdAt", updated_at: "updatedAt" },
};

const versionSchema: SearchSchema = {
  fields: {
    name: "text",
    number: "number",
    run_id: "text",
    source: "text",
    created_at: "time",
    updated_at: "time",
  },
  paths: {
    name: "model",
    run_id: "sourceRunId",
    source: "artifactUri",
    created_at: "createdAt",
    updated_at: "updatedAt",
  },
};

export function searchModels(store: Store, search: Search, page: PageQuery): Promise<Page<Model>> {
  return searched<ModelDocument, Model>(store, collections.models, modelSchema, search, { name: 1 }, page);
}

export function searchVersions(store: Store, search: Search, page: PageQuery): Promise<Page<ModelVersion>> {
  const order = { model: 1, number: -1 } as const;
  return searched<ModelVersionDocument, ModelVersion>(
    store,
    collections.versions,
    versionSchema,
    search,
    order,
    page,
  );
}

/** One page; a token says how many came before, since an order may be by anything. */
async function searched<
  D extends { readonly _id: string; readonly schemaVersion: 1 },
  T extends { readonly id: string },
>(
  store: Store,
  collection: string,
  schema: SearchSchema,
  { project, clauses, orders }: Search,
  rest: Readonly<Record<string, 1 | -1>>,
  page: PageQuery,
): Promise<Page<T>> {
  assertSearch(clauses, orders, schema.fields);
  const query: Json = {
    search: collection,
    project,
    clauses: JSON.stringify(clauses),
    orders: JSON.stringify(orders),
  };
  const after = decodePageToken(page.token, query);
  const skip = typeof after === "number" ? after : 0;
  const found = await store
    .collection<Document>(collection)
    .find({ $and: [{ project }, ...searchFilter(clauses, schema)] })
    .sort(searchSort(orders, schema.paths, rest))
    .skip(skip)
    .limit(page.size + 1)
    .toArray();
  const items = found.slice(0, page.size).map((document) => fromDocument<T>(document as never as D as never));
  return { items, nextPageToken: found.length > page.size ? encodePageToken(query, skip + page.size) : "" };
}
