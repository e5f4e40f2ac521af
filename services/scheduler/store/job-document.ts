import type { Attempt } from "../domain/attempt.ts";
import type { Failure } from "../domain/failure.ts";
import { type Job, liveAttempt, type RetriesUsed } from "../domain/job.ts";
import type { JobSpec, ResolvedDataset } from "../domain/job-spec.ts";
import { isFinal, type JobState } from "../domain/job-state.ts";
import type { Pending } from "../domain/pending.ts";

/** Version of the document's shape, for migrations. */
export const JOB_SCHEMA_VERSION = 1;

/** A job as MongoDB keeps it. What lists filter by stands beside the spec. */
export interface JobDocument {
  readonly _id: string;
  readonly project: string;
  readonly schemaVersion: typeof JOB_SCHEMA_VERSION;
  readonly queue: string;
  readonly kind: JobSpec["kind"];
  readonly state: JobState;
  /** Whether the state is final: the leader loads only the others. */
  readonly final: boolean;
  readonly runId: string;
  /** JSON, since keys that users choose (params, env, labels) may hold what field names may not: "$", ".". */
  readonly spec: string;
  readonly dataset?: ResolvedDataset;
  readonly pending?: Pending;
  readonly failure?: Failure;
  readonly attempts: readonly Attempt[];
  /** Nodes on which the live attempt holds slots; empty without one. */
  readonly liveNodes: readonly string[];
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly traceparent?: string;
  readonly notBefore?: Date;
  readonly retriesUsed: RetriesUsed;
  readonly cancel?: NonNullable<Job["cancel"]>;
}

/** The document of a job. */
export function toDocument(job: Job): JobDocument {
  const { id, spec, ...rest } = job;
  return {
    _id: id,
    schemaVersion: JOB_SCHEMA_VERSION,
    ...rest,
    queue: spec.queue,
    kind: spec.kind,
    final: isFinal(job.state),
    spec: JSON.stringify(spec),
    liveNodes: (liveAttempt(job)?.placements ?? []).map(({ nodeId }) => nodeId),
  };
}

/** The job of a document. */
export function fromDocument(document: JobDocument): Job {
  const {
    _id,
    schemaVersion: _shape,
    queue: _queue,
    kind: _kind,
    final: _final,
    liveNodes: _nodes,
    ...rest
  } = document;
  // Written by toDocument only, after validation.
  return { ...rest, id: _id, spec: JSON.parse(document.spec) as JobSpec };
}
