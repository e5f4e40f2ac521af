import type { ReportedMetrics, StoredFile } from "./checkpoint.ts";
import type { CheckpointsKept } from "./checkpoint-retention.ts";
import type { DatasetInput } from "./dataset-input.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { NamedText, Param } from "./named-text.ts";
import type { Handover, Recovery } from "./recovery.ts";
import type { Reporter } from "./reporter.ts";
import type { AttemptSightings, RunStatus } from "./run-status.ts";
import type { AttemptOrigin } from "./visible-history.ts";

/** An attempt as it was opened. */
export interface RunAttempt extends AttemptOrigin {
  readonly openedAt: Date;
  /** The checkpoint of another run that it began at, having none of its own. */
  readonly startedFrom?: { readonly checkpointId: string; readonly runId: string; readonly step: number };
  /** What its survivors saved; absent when no rank died, or there was nothing they could have saved. */
  readonly handover?: Handover;
}

/** One input or output of a model. */
export interface TensorSpec {
  readonly name: string;
  /** NumPy's name of the type, such as "float32". */
  readonly dtype: string;
  /** -1 is a dimension of any size. */
  readonly shape: readonly number[];
}

/** A model that a run keeps. */
export interface LoggedModel {
  readonly name: string;
  readonly files: readonly StoredFile[];
  /** SHA-256 over the sorted (path, digest) of its files. */
  readonly digest: string;
  readonly framework: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly metrics: ReportedMetrics;
  /** -1 when not told. */
  readonly step: number;
}

/** A file that a run keeps. */
export interface Artifact {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly attempt: number;
  readonly createdAt: Date;
}

/** What the job's submission tells about its run. The texts are contract messages as JSON, kept as they came. */
export interface Submission {
  readonly spec: string;
  readonly dataset?: string;
  readonly traceparent?: string;
  /** Committed checkpoints to keep: the newest so many. */
  readonly checkpointsKept: number;
  /** Besides them the best. */
  readonly bestKept?: NonNullable<CheckpointsKept["best"]>;
}

/**
 * The record of one job, or of what an outside client trains. A job's may be opened by whichever comes first: the job's
 * submission, its first attempt, or its end; until the submission is known, `submission` is absent, and the name and the
 * experiment are empty.
 */
export interface RunRecord {
  readonly id: string;
  readonly project: string;
  /** Empty for an outside run. */
  readonly jobId: string;
  readonly name: string;
  readonly experimentId: string;
  /** What filters compare; those of a job file are in its spec with their types too. */
  readonly params: readonly Param[];
  readonly tags: readonly NamedText[];
  /** Markdown. */
  readonly note: string;
  /** Empty when it is nested in none. */
  readonly parentRunId: string;
  readonly inputs: readonly DatasetInput[];
  readonly lifecycle: Lifecycle;
  /** Since when it is archived or deleted, and by whom; absent while it is active. */
  readonly lifecycleChangedAt?: Date;
  readonly lifecycleChangedBy?: string;
  /** Of an outside run: it is ended when no sign of life has come for so long. */
  readonly idleLimitMs?: number;
  /** The last sign of life, by the database's clock. Only read: whatever writes the run sets it. */
  readonly seenAt?: Date;
  readonly updatedAt: Date;
  /** Rises by one with every change that others can see. */
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly status: RunStatus;
  readonly submission?: Submission;
  /** The fencing token: whatever names a lower attempt is refused. Only rises. */
  readonly currentAttempt: number;
  /** The nodes of that attempt, whose agents alone may report of it; absent where nobody said which they are. */
  readonly reporters?: readonly Reporter[];
  /** As opened, oldest first. */
  readonly attempts: readonly RunAttempt[];
  readonly sightings: AttemptSightings;
  readonly latestCheckpointId?: string;
  readonly model?: LoggedModel;
  /** What the death of a rank costs; absent while the script has not handed its state to the SDK. */
  readonly recovery?: Recovery;
  /** Why it failed: a contract message as JSON. */
  readonly failure?: string;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly checkpointsCommitted: number;
}

/** A run of which nothing is known yet but that it exists. */
export function bareRun(
  identity: Pick<RunRecord, "id" | "project" | "jobId" | "createdBy" | "createdAt">,
): RunRecord {
  return {
    ...identity,
    name: "",
    experimentId: "",
    params: [],
    tags: [],
    note: "",
    parentRunId: "",
    inputs: [],
    lifecycle: "active",
    updatedAt: identity.createdAt,
    version: 0,
    status: "queued",
    currentAttempt: 0,
    attempts: [],
    sightings: { started: [], ended: [] },
    checkpointsCommitted: 0,
  };
}

/** Whether an outside client keeps this run, and no job. */
export function isOutside(run: Pick<RunRecord, "jobId">): boolean {
  return run.jobId === "";
}
