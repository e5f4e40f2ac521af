import type { IndexSpec } from "@trainyard/store";
import type { Evaluation } from "../domain/evaluation.ts";
import type { Suite } from "../domain/suite.ts";

type Stored<T> = Omit<T, "id"> & { readonly _id: string; readonly schemaVersion: 1 };

export type EvaluationDocument = Stored<Evaluation>;
export type SuiteDocument = Stored<Suite>;

export const collections = { suites: "suites", evaluations: "evaluations" } as const;

/** The indexes; those marked unique hold rules that no code may break. */
export const indexes: readonly IndexSpec[] = [
  {
    collection: collections.suites,
    key: { project: 1, name: 1, revision: -1 },
    name: "revision",
    unique: true,
  },
  // One automatic evaluation per model version, however often its registration is told.
  {
    collection: collections.evaluations,
    key: { modelVersionId: 1 },
    name: "one_automatic",
    unique: true,
    partialFilterExpression: { automatic: true },
  },
  { collection: collections.evaluations, key: { project: 1, _id: -1 }, name: "newest" },
  {
    collection: collections.evaluations,
    key: { project: 1, modelVersionId: 1, _id: -1 },
    name: "newest_of_version",
  },
  { collection: collections.evaluations, key: { project: 1, model: 1, _id: -1 }, name: "newest_of_model" },
  {
    collection: collections.evaluations,
    key: { dueAt: 1 },
    name: "due",
    partialFilterExpression: { dueAt: { $exists: true } },
  },
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
