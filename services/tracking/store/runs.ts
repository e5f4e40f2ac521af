import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Document, Filter } from "mongodb";
import { isOutside, type RunRecord } from "../domain/run-record.ts";
import { openStatuses, type RunStatus } from "../domain/run-status.ts";
import { createRecent } from "./recent.ts";
import { type Scope, within } from "./session.ts";

/**
 * A run as stored. `fences` only counts writes: raising it makes two transactions on one run conflict. `startTime` is
 * what searches order by: it is always there. `seenAt` is by the database's clock, as it is compared with that only.
 */
export interface RunDocument extends Omit<RunRecord, "id"> {
  readonly _id: string;
  readonly schemaVersion: 2;
  readonly fences: number;
  readonly startTime: Date;
}

export const runIndexes: readonly IndexSpec[] = [
  { collection: "runs", name: "by_job", key: { jobId: 1 } },
  { collection: "runs", name: "by_project", key: { project: 1, _id: -1 } },
  { collection: "runs", name: "by_experiment_and_id", key: { experimentId: 1, _id: -1 } },
  {
    collection: "runs",
    name: "by_start_in_experiment",
    key: { experimentId: 1, lifecycle: 1, startTime: -1, _id: 1 },
  },
  {
    collection: "runs",
    name: "by_start_in_project",
    key: { project: 1, lifecycle: 1, startTime: -1, _id: 1 },
  },
  { collection: "runs", name: "by_param", key: { experimentId: 1, "params.key": 1, "params.value": 1 } },
  { collection: "runs", name: "by_tag", key: { experimentId: 1, "tags.key": 1, "tags.value": 1 } },
  { collection: "runs", name: "by_parent", key: { parentRunId: 1 } },
];

/** Fields that a record may lose again: what it has not is removed when it is saved. */
const optional = [
  "submission",
  "latestCheckpointId",
  "model",
  "recovery",
  "reporters",
  "failure",
  "startedAt",
  "endedAt",
  "idleLimitMs",
  "lifecycleChangedAt",
  "lifecycleChangedBy",
] as const satisfies readonly (keyof RunRecord)[];

/** Which runs a list shows. */
export interface RunFilter {
  readonly project?: string;
  readonly experimentId?: string;
  readonly statuses?: readonly RunStatus[];
  /** Only ids before this one. */
  readonly before?: string;
}

/** Which of a run's larger parts are read. */
export interface RunColumns {
  readonly params: readonly string[] | "all";
  readonly tags: readonly string[] | "all";
  readonly inputs: boolean;
  /** The job file, the attempts, the newest checkpoint and the model. */
  readonly details: boolean;
}

/** The runs: the only place that reads and writes them. */
export interface Runs {
  find(id: string, scope?: Scope): Promise<RunRecord | undefined>;
  findByIdOrJob(id: string): Promise<RunRecord | undefined>;
  /** As `find`; an outside run may be as it was RECENT_MS ago, but for what this process has changed. */
  findRecent(id: string): Promise<RunRecord | undefined>;
  /** Newest first: run ids sort by the time they were made. */
  list(filter: RunFilter, limit: number): Promise<RunRecord[]>;
  /** Those of these runs that are there, in no order, with these of their larger parts; the others are empty. */
  columns(ids: readonly string[], columns: RunColumns): Promise<RunRecord[]>;
  /** Runs of an experiment, deleted ones too, counted no further than `most`. */
  count(experimentId: string, most: number, scope?: Scope): Promise<number>;
  /** Every run, oldest first. */
  all(): AsyncIterable<RunRecord>;
  /** Creates or replaces the whole record. */
  save(tx: Tx, run: RunRecord): Promise<void>;
  /**
   * Writes the run without changing it, so that the transaction conflicts with whatever fences it. For an outside run it
   * is also a sign of life, as every save is.
   */
  touch(tx: Tx, runId: string): Promise<void>;
  /** A sign of life of an outside run that has not ended, outside of any transaction; whether there is such a run. */
  sight(runId: string): Promise<boolean>;
}

/** The runs in this database. */
export function createRuns(store: Store): Runs {
  const documents = store.collection<RunDocument>("runs");
  const recent = createRecent<RunRecord>();
  const changing = (id: string, tx: Tx) => void tx.session.once("ended", recent.changing(id));
  return {
    async find(id, scope) {
      return toRecord(await documents.findOne({ _id: id }, within(scope)));
    },
    async findByIdOrJob(id) {
      const found = await documents.findOne({ _id: id });
      if (found !== null || id === "") return toRecord(found);
      return toRecord(await documents.findOne({ jobId: id }));
    },
    async findRecent(id) {
      const known = recent.get(id);
      if (known !== undefined) return known;
      const changes = recent.changes();
      const found = toRecord(await documents.findOne({ _id: id }));
      if (found !== undefined && isOutside(found)) recent.keep(found, changes);
      return found;
    },
    async list(filter, limit) {
      const found = await documents.find(filterOf(filter)).sort({ _id: -1 }).limit(limit).toArray();
      return found.map(recordOf);
    },
    async columns(ids, columns) {
      const found = documents.aggregate<Omit<RunDocument, keyof typeof leftOut>>([
        { $match: { _id: { $in: [...ids] } } },
        { $project: without(columns) },
        { $set: { params: chosen("params", columns.params), tags: chosen("tags", columns.tags) } },
      ]);
      return (await found.toArray()).map((document) => recordOf({ ...leftOut, ...document }));
    },
    async count(experimentId, most, scope) {
      return await documents.countDocuments({ experimentId }, { ...within(scope), limit: most });
    },
    async *all() {
      for await (const document of documents.find().sort({ _id: 1 })) yield recordOf(document);
    },
    async save(tx, run) {
      const { id, seenAt: _, ...fields } = run;
      changing(id, tx);
      const missing = optional.filter((field) => run[field] === undefined);
      await documents.updateOne(
        { _id: id },
        {
          $set: { ...fields, schemaVersion: 2, startTime: run.startedAt ?? run.createdAt },
          ...(missing.length === 0
            ? {}
            : { $unset: Object.fromEntries(missing.map((field) => [field, ""])) }),
          ...signOfLife,
        },
        { upsert: true, session: tx.session },
      );
    },
    async touch(tx, runId) {
      changing(runId, tx);
      await documents.updateOne({ _id: runId }, signOfLife, { session: tx.session });
    },
    async sight(runId) {
      const done = recent.changing(runId);
      const filter = { _id: runId, jobId: "", status: { $in: [...openStatuses] } };
      try {
        return (await documents.updateOne(filter, { $currentDate: { seenAt: true } })).matchedCount === 1;
      } finally {
        done();
      }
    },
  };
}

const signOfLife = { $inc: { fences: 1 }, $currentDate: { seenAt: true } } as const;

function filterOf({ project, experimentId, statuses, before }: RunFilter): Filter<RunDocument> {
  return {
    ...(project === undefined ? {} : { project }),
    lifecycle: "active",
    ...(experimentId === undefined ? {} : { experimentId }),
    ...(statuses === undefined || statuses.length === 0 ? {} : { status: { $in: [...statuses] } }),
    ...(before === undefined ? {} : { _id: { $lt: before } }),
  };
}

function toRecord(document: RunDocument | null): RunRecord | undefined {
  return document === null ? undefined : recordOf(document);
}

/** The record in a document. */
export function recordOf(document: RunDocument): RunRecord {
  const { _id, schemaVersion: _, fences: __, startTime: ___, ...fields } = document;
  return { id: _id, ...fields };
}

/** What stands in a record for what was not read. */
const leftOut = { inputs: [], attempts: [], sightings: { started: [], ended: [] } } as const;

/** What is not read at all. */
function without({ params, tags, inputs, details }: RunColumns): Record<string, 0> {
  const left = [
    ...(params.length === 0 ? ["params"] : []),
    ...(tags.length === 0 ? ["tags"] : []),
    ...(inputs ? [] : ["inputs"]),
    ...(details ? [] : ["submission", "attempts", "model", "latestCheckpointId", "recovery"]),
    "sightings",
    "reporters",
  ];
  return Object.fromEntries(left.map((path) => [path, 0]));
}

function chosen(list: "params" | "tags", keys: readonly string[] | "all"): Document {
  if (keys === "all") return { $ifNull: [`$${list}`, []] };
  if (keys.length === 0) return { $literal: [] };
  return { $filter: { input: `$${list}`, cond: { $in: ["$$this.key", { $literal: [...keys] }] } } };
}
