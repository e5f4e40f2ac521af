import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Experiment } from "../domain/experiment.ts";
import { createRecent } from "./recent.ts";
import { type Scope, within } from "./session.ts";

interface ExperimentDocument extends Omit<Experiment, "id"> {
  readonly _id: string;
  readonly schemaVersion: 2;
}

export const experimentIndexes: readonly IndexSpec[] = [
  { collection: "experiments", name: "one_per_name", key: { project: 1, name: 1 }, unique: true },
  {
    collection: "experiments",
    name: "by_update",
    key: { project: 1, lifecycle: 1, updatedAt: -1, _id: 1 },
  },
];

/** The experiments: the only place that reads and writes them. */
export interface Experiments {
  find(id: string, scope?: Scope): Promise<Experiment | undefined>;
  /** As `find`; it may be as it was RECENT_MS ago, but for what this process has changed. */
  findRecent(id: string): Promise<Experiment | undefined>;
  findMany(ids: readonly string[]): Promise<Experiment[]>;
  findManyByName(project: string, names: readonly string[]): Promise<Experiment[]>;
  findByName(project: string, name: string, scope?: Scope): Promise<Experiment | undefined>;
  /** Newest first; only ids before `before` when given. */
  list(project: string | undefined, before: string | undefined, limit: number): Promise<Experiment[]>;
  /** Ids of all of a project. */
  ids(project: string): Promise<string[]>;
  /** Ids of the deleted ones. */
  deleted(project: string | undefined): Promise<string[]>;
  /** Creates or replaces it. Fails with a duplicate key when the project has another one of that name. */
  save(tx: Tx, experiment: Experiment): Promise<void>;
}

/** The experiments in this database. */
export function createExperiments(store: Store): Experiments {
  const documents = store.collection<ExperimentDocument>("experiments");
  const recent = createRecent<Experiment>();
  return {
    async find(id, scope) {
      const found = await documents.findOne({ _id: id }, within(scope));
      return found === null ? undefined : experimentOf(found);
    },
    async findRecent(id) {
      const known = recent.get(id);
      if (known !== undefined) return known;
      const changes = recent.changes();
      const found = await documents.findOne({ _id: id });
      if (found === null) return undefined;
      const experiment = experimentOf(found);
      recent.keep(experiment, changes);
      return experiment;
    },
    async findMany(ids) {
      return (await documents.find({ _id: { $in: [...ids] } }).toArray()).map(experimentOf);
    },
    async findManyByName(project, names) {
      return (await documents.find({ project, name: { $in: [...names] } }).toArray()).map(experimentOf);
    },
    async findByName(project, name, scope) {
      const found = await documents.findOne({ project, name }, within(scope));
      return found === null ? undefined : experimentOf(found);
    },
    async list(project, before, limit) {
      const filter = {
        lifecycle: "active" as const,
        ...(project === undefined ? {} : { project }),
        ...(before === undefined ? {} : { _id: { $lt: before } }),
      };
      return (await documents.find(filter).sort({ _id: -1 }).limit(limit).toArray()).map(experimentOf);
    },
    async ids(project) {
      const found = await documents.find({ project }, { projection: { _id: 1 } }).toArray();
      return found.map(({ _id }) => _id);
    },
    async deleted(project) {
      const filter = { lifecycle: "deleted" as const, ...(project === undefined ? {} : { project }) };
      const found = await documents.find(filter, { projection: { _id: 1 } }).toArray();
      return found.map(({ _id }) => _id);
    },
    async save(tx, { id, ...fields }) {
      void tx.session.once("ended", recent.changing(id));
      const document = { schemaVersion: 2 as const, ...fields };
      await documents.replaceOne({ _id: id }, document, { upsert: true, session: tx.session });
    },
  };
}

function experimentOf({ _id, schemaVersion: _, ...fields }: ExperimentDocument): Experiment {
  return { id: _id, ...fields };
}
