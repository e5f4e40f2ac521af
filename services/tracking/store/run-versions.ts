import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { RunVersion } from "../domain/retention.ts";
import type { RunRecord } from "../domain/run-record.ts";

/** What the registry's events tell of a model version that was made of a run. */
export interface RunVersionRecord extends RunVersion {
  /** Of the version. */
  readonly id: string;
  readonly project: string;
  readonly runId: string;
  /** Whether the registry holds the version's files in the run's name; otherwise somebody only named the run. */
  readonly isMadeOfRun: boolean;
  /** Of its model at the version's last change; it only rises. */
  readonly aggregateVersion: number;
}

interface RunVersionDocument extends Omit<RunVersionRecord, "id"> {
  readonly _id: string;
  readonly schemaVersion: 1;
}

export const runVersionIndexes: readonly IndexSpec[] = [
  { collection: "run_versions", name: "by_run", key: { runId: 1 } },
];

/** Model versions by their runs, as the registry's events tell. */
export interface RunVersions {
  /** Whatever order the events come in, the newest state stays. */
  save(tx: Tx, version: RunVersionRecord): Promise<void>;
  ofRun(run: Pick<RunRecord, "id" | "project">): Promise<RunVersionRecord[]>;
}

/** The model versions in this database. */
export function createRunVersions(store: Store): RunVersions {
  const documents = store.collection<RunVersionDocument>("run_versions");
  return {
    async save({ session }, { id, ...fields }) {
      const known = await documents.findOne({ _id: id }, { session });
      if (known !== null && known.aggregateVersion >= fields.aggregateVersion) return;
      await documents.replaceOne({ _id: id }, { schemaVersion: 1, ...fields }, { upsert: true, session });
    },
    async ofRun({ id: runId, project }) {
      const found = await documents.find({ runId, project }).toArray();
      return found.map(({ _id, schemaVersion: _, ...fields }) => ({ id: _id, ...fields }));
    },
  };
}
