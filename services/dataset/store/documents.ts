import type { IndexSpec } from "@trainyard/store";
import type { Dataset, DatasetVersion } from "../domain/dataset-version.ts";

type Stored<T> = Omit<T, "id"> & { readonly _id: string; readonly schemaVersion: 1 };

export type DatasetDocument = Stored<Dataset>;
/** What depends on users' names (columns, splits) stands in values, never in field names. */
export type DatasetVersionDocument = Stored<DatasetVersion>;

export const collections = { datasets: "datasets", versions: "dataset_versions" } as const;

/** The indexes; those marked unique hold rules that no code may break. */
export const indexes: readonly IndexSpec[] = [
  { collection: collections.datasets, key: { project: 1, name: 1 }, name: "name", unique: true },
  { collection: collections.versions, key: { project: 1, name: 1, number: 1 }, name: "number", unique: true },
  {
    collection: collections.versions,
    key: { project: 1, name: 1, version: 1 },
    name: "version",
    unique: true,
  },
  { collection: collections.versions, key: { project: 1, name: 1, state: 1, number: -1 }, name: "newest" },
  { collection: collections.versions, key: { project: 1, name: 1, schemaHash: 1 }, name: "schema" },
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
