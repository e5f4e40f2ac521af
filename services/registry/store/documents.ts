import type { IndexSpec } from "@trainyard/store";
import type { Model, ModelVersion, StageChange } from "../domain/model-version.ts";

type Stored<T> = Omit<T, "id"> & { readonly _id: string; readonly schemaVersion: 1 };

export type ModelDocument = Stored<Model>;
export type ModelVersionDocument = Stored<ModelVersion>;
export type StageChangeDocument = StageChange & {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: string;
};

export const collections = {
  models: "models",
  versions: "model_versions",
  changes: "stage_changes",
} as const;

/** The indexes; those marked unique hold rules that no code may break. */
export const indexes: readonly IndexSpec[] = [
  { collection: collections.models, key: { project: 1, name: 1 }, name: "name", unique: true },
  {
    collection: collections.versions,
    key: { project: 1, model: 1, number: 1 },
    name: "number",
    unique: true,
  },
  {
    collection: collections.versions,
    key: { project: 1, model: 1, version: 1 },
    name: "version",
    unique: true,
  },
  // One champion per model, held by the database.
  {
    collection: collections.versions,
    key: { project: 1, model: 1 },
    name: "one_champion",
    unique: true,
    partialFilterExpression: { stage: "champion" },
  },
  // One version per run, however often its end is told.
  {
    collection: collections.versions,
    key: { "origin.runId": 1 },
    name: "one_per_run",
    unique: true,
    partialFilterExpression: { "origin.runId": { $gt: "" } },
  },
  {
    collection: collections.versions,
    key: { loggedModelId: 1 },
    name: "of_logged_model",
    partialFilterExpression: { loggedModelId: { $gt: "" } },
  },
  { collection: collections.versions, key: { project: 1, _id: -1 }, name: "newest" },
  { collection: collections.changes, key: { project: 1, model: 1, _id: -1 }, name: "history" },
];

export function toDocument<T extends { readonly id: string }>(value: T): Stored<T> {
  const { id, ...rest } = value;
  return { ...rest, _id: id, schemaVersion: 1 };
}

export function fromDocument<T extends { readonly id: string }>(document: Stored<T>): T {
  const { _id, schemaVersion: _, ...rest } = document;
  // What toDocument took apart, put together again.
  return { ...rest, id: _id } as unknown as T;
}
