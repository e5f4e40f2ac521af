import { DomainError } from "@trainyard/domain";
import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Filter } from "mongodb";
import type { Placement } from "../domain/attempt.ts";
import type { Change } from "../domain/change.ts";
import { type Job, liveAttempt } from "../domain/job.ts";
import type { Pending } from "../domain/pending.ts";
import { fromDocument, type JobDocument, toDocument } from "./job-document.ts";
import { emitJobEvents } from "./job-events.ts";

const COLLECTION = "jobs";

/** The indexes of the jobs, by what asks for them. */
export const jobIndexes: readonly IndexSpec[] = [
  // The leader's look for what has changed reads this index alone.
  { collection: COLLECTION, name: "active", key: { final: 1, _id: 1, version: 1 } },
  { collection: COLLECTION, name: "by_run", key: { runId: 1 }, unique: true },
  { collection: COLLECTION, name: "newest", key: { project: 1, _id: -1 } },
  { collection: COLLECTION, name: "newest_by_state", key: { project: 1, state: 1, _id: -1 } },
  { collection: COLLECTION, name: "by_node", key: { liveNodes: 1 } },
];

/** The stored job is not the one that a change began from: look again and decide anew. */
export class VersionConflictError extends Error {
  override readonly name = "VersionConflictError";
}

/** Which jobs a list shows. */
export interface JobFilter {
  readonly project?: string;
  readonly states: readonly Job["state"][];
  readonly queue?: string;
  readonly kind?: Job["spec"]["kind"];
}

/** The jobs: their only reader and writer. */
export interface Jobs {
  /** By the job's id or its run's. */
  find(id: string, tx?: Tx): Promise<Job | undefined>;
  /** The version and explanation of a job, cheaply; `undefined` when there is no such job. */
  glance(id: string): Promise<{ readonly version: number; readonly pending?: Pending } | undefined>;
  insert(tx: Tx, job: Job): Promise<void>;
  /** Stores a change with its events. Throws VersionConflictError when the job has changed meanwhile. */
  commit(tx: Tx, change: Change): Promise<void>;
  /** Id and version of every job that is not final. */
  activeVersions(): Promise<ReadonlyMap<string, number>>;
  load(ids: readonly string[]): Promise<readonly Job[]>;
  active(): Promise<readonly Job[]>;
  /** Newest first, those older than `before`. */
  page(filter: JobFilter, before: string | undefined, limit: number): Promise<readonly Job[]>;
  /** Every job, oldest first. */
  all(project?: string): AsyncIterable<Job>;
  /** Throws when a slot of these placements is held by another job: two gangs on one slot would be a bug of the leader. */
  assertFree(tx: Tx, jobId: string, placements: readonly Placement[]): Promise<void>;
  /** Stores explanations of waits, each only if the job has not changed. Not versioned: they follow from other jobs. */
  explain(explanations: readonly { readonly job: Job; readonly pending: Pending }[]): Promise<void>;
}

/** The jobs in this store. */
export function createJobs(store: Store): Jobs {
  const rows = store.collection<JobDocument>(COLLECTION);
  const inTx = (tx?: Tx) => (tx === undefined ? {} : { session: tx.session });

  return {
    async find(id, tx) {
      const document = await rows.findOne(id.startsWith("run_") ? { runId: id } : { _id: id }, inTx(tx));
      return document === null ? undefined : fromDocument(document);
    },
    async glance(id) {
      const found = await rows.findOne({ _id: id }, { projection: { version: 1, pending: 1 } });
      return found ?? undefined;
    },
    async insert(tx, job) {
      await rows.insertOne(toDocument(job), inTx(tx));
      await emitJobEvents(tx, [{ kind: "submitted", job }]);
    },
    async commit(tx, { fromVersion, job, events }) {
      const { matchedCount } = await rows.replaceOne(
        { _id: job.id, version: fromVersion },
        toDocument(job),
        inTx(tx),
      );
      if (matchedCount === 0)
        throw new VersionConflictError(`job ${job.id} is not at version ${fromVersion} any more`);
      await emitJobEvents(tx, events);
    },
    async activeVersions() {
      const found = rows.find({ final: false }, { projection: { _id: 1, version: 1 } }).hint("active");
      const versions = new Map<string, number>();
      for await (const { _id, version } of found) versions.set(_id, version);
      return versions;
    },
    async load(ids) {
      if (ids.length === 0) return [];
      const found = await rows.find({ _id: { $in: [...ids] } }).toArray();
      return found.map(fromDocument);
    },
    async active() {
      return (await rows.find({ final: false }).toArray()).map(fromDocument);
    },
    async page({ project, states, queue, kind }, before, limit) {
      const filter: Filter<JobDocument> = {
        ...(project === undefined ? {} : { project }),
        ...(states.length === 0 ? {} : { state: { $in: [...states] } }),
        ...(queue === undefined ? {} : { queue }),
        ...(kind === undefined ? {} : { kind }),
        ...(before === undefined ? {} : { _id: { $lt: before } }),
      };
      const found = await rows.find(filter).sort({ _id: -1 }).limit(limit).toArray();
      return found.map(fromDocument);
    },
    async *all(project) {
      const found = rows.find(project === undefined ? {} : { project }).sort({ _id: 1 });
      for await (const document of found) yield fromDocument(document);
    },
    async assertFree(tx, jobId, placements) {
      const nodeIds = placements.map(({ nodeId }) => nodeId);
      const wanted = new Set(
        placements.flatMap(({ nodeId, slots }) => slots.map((slot) => `${nodeId}/${slot}`)),
      );
      for await (const document of rows.find(
        { liveNodes: { $in: nodeIds }, _id: { $ne: jobId } },
        inTx(tx),
      )) {
        for (const { nodeId, slots } of liveAttempt(document)?.placements ?? []) {
          const taken = slots.find((slot) => wanted.has(`${nodeId}/${slot}`));
          if (taken === undefined) continue;
          throw new DomainError(
            "internal",
            "SLOT_TAKEN",
            `slot ${taken} of node ${nodeId} is held by job ${document._id}`,
          );
        }
      }
    },
    async explain(explanations) {
      if (explanations.length === 0) return;
      await rows.bulkWrite(
        explanations.map(({ job, pending }) => ({
          updateOne: { filter: { _id: job.id, version: job.version }, update: { $set: { pending } } },
        })),
        { ordered: false },
      );
    },
  };
}
