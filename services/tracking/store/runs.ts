import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Filter } from "mongodb";
import type { RunRecord } from "../domain/run-record.ts";
import type { RunStatus } from "../domain/run-status.ts";
import { type Scope, within } from "./session.ts";

/** A run as stored. `fences` only counts writes: raising it makes two transactions on one run conflict. */
interface RunDocument extends Omit<RunRecord, "id"> {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly fences: number;
}

export const runIndexes: readonly IndexSpec[] = [
  { collection: "runs", name: "by_job", key: { jobId: 1 } },
  { collection: "runs", name: "by_project", key: { project: 1, _id: -1 } },
  { collection: "runs", name: "by_experiment", key: { "submission.experimentId": 1, _id: -1 } },
  { collection: "runs", name: "by_experiment_name", key: { "submission.experiment": 1, _id: -1 } },
];

/** Which runs a list shows. */
export interface RunFilter {
  readonly project?: string;
  readonly experimentId?: string;
  readonly experiment?: string;
  readonly statuses?: readonly RunStatus[];
  /** Only ids before this one. */
  readonly before?: string;
}

/** The runs: the only place that reads and writes them. */
export interface Runs {
  find(id: string, scope?: Scope): Promise<RunRecord | undefined>;
  findByIdOrJob(id: string): Promise<RunRecord | undefined>;
  /** Newest first: run ids sort by the time they were made. */
  list(filter: RunFilter, limit: number): Promise<RunRecord[]>;
  /** Every run, oldest first. */
  all(): AsyncIterable<RunRecord>;
  /** Creates or replaces the whole record. */
  save(tx: Tx, run: RunRecord): Promise<void>;
  /** Writes the run without changing it, so that the transaction conflicts with whatever fences it. */
  touch(tx: Tx, runId: string): Promise<void>;
}

/** The runs in this database. */
export function createRuns(store: Store): Runs {
  const documents = store.collection<RunDocument>("runs");
  return {
    async find(id, scope) {
      return toRecord(await documents.findOne({ _id: id }, within(scope)));
    },
    async findByIdOrJob(id) {
      return toRecord((await documents.findOne({ _id: id })) ?? (await documents.findOne({ jobId: id })));
    },
    async list(filter, limit) {
      const found = await documents.find(filterOf(filter)).sort({ _id: -1 }).limit(limit).toArray();
      return found.map(recordOf);
    },
    async *all() {
      for await (const document of documents.find().sort({ _id: 1 })) yield recordOf(document);
    },
    async save(tx, run) {
      const { id, ...fields } = run;
      await documents.updateOne(
        { _id: id },
        { $set: { ...fields, schemaVersion: 1 }, $inc: { fences: 1 } },
        { upsert: true, session: tx.session },
      );
    },
    async touch(tx, runId) {
      await documents.updateOne({ _id: runId }, { $inc: { fences: 1 } }, { session: tx.session });
    },
  };
}

function filterOf({ project, experimentId, experiment, statuses, before }: RunFilter): Filter<RunDocument> {
  return {
    ...(project === undefined ? {} : { project }),
    ...(experimentId === undefined ? {} : { "submission.experimentId": experimentId }),
    ...(experiment === undefined ? {} : { "submission.experiment": experiment }),
    ...(statuses === undefined || statuses.length === 0 ? {} : { status: { $in: [...statuses] } }),
    ...(before === undefined ? {} : { _id: { $lt: before } }),
  };
}

function toRecord(document: RunDocument | null): RunRecord | undefined {
  return document === null ? undefined : recordOf(document);
}

function recordOf(document: RunDocument): RunRecord {
  const { _id, schemaVersion: _, fences: __, ...fields } = document;
  return { id: _id, ...fields };
}
