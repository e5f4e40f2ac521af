import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Experiment } from "../domain/experiment.ts";
import { type Scope, within } from "./session.ts";

interface ExperimentDocument extends Omit<Experiment, "id"> {
  readonly _id: string;
  readonly schemaVersion: 1;
}

export const experimentIndexes: readonly IndexSpec[] = [
  { collection: "experiments", name: "one_per_name", key: { project: 1, name: 1 }, unique: true },
];

/** The experiments: the only place that reads and writes them. */
export interface Experiments {
  findByName(project: string, name: string, scope?: Scope): Promise<Experiment | undefined>;
  /** Newest first; only ids before `before` when given. */
  list(project: string | undefined, before: string | undefined, limit: number): Promise<Experiment[]>;
  /** Fails with a duplicate key when the project has one of that name. */
  insert(tx: Tx, experiment: Experiment): Promise<void>;
}

/** The experiments in this database. */
export function createExperiments(store: Store): Experiments {
  const documents = store.collection<ExperimentDocument>("experiments");
  return {
    async findByName(project, name, scope) {
      const found = await documents.findOne({ project, name }, within(scope));
      return found === null ? undefined : experimentOf(found);
    },
    async list(project, before, limit) {
      const filter = {
        ...(project === undefined ? {} : { project }),
        ...(before === undefined ? {} : { _id: { $lt: before } }),
      };
      return (await documents.find(filter).sort({ _id: -1 }).limit(limit).toArray()).map(experimentOf);
    },
    async insert(tx, { id, ...fields }) {
      await documents.insertOne({ _id: id, schemaVersion: 1, ...fields }, { session: tx.session });
    },
  };
}

function experimentOf({ _id, schemaVersion: _, ...fields }: ExperimentDocument): Experiment {
  return { id: _id, ...fields };
}
