import type { Client } from "@connectrpc/connect";
import { type BlobStore, holderName } from "@trainyard/blob";
import type { dataset as datasetContract, tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { fromConnectError, inProject } from "@trainyard/service";
import { neverFits } from "../domain/fits-ever.ts";

import type { Job } from "../domain/job.ts";
import {
  fewestRanks,
  type JobSpec,
  type ResolvedDataset,
  type StartFrom,
  shapeOf,
} from "../domain/job-spec.ts";

import { validateSpec } from "../domain/validate-spec.ts";
import type { Nodes } from "../store/nodes.ts";
import type { Queues } from "../store/queues.ts";
import type { Secrets } from "../store/secrets.ts";

/** How long the dataset service may take to answer. */
const RESOLVE_TIMEOUT_MS = 5_000;

/** A job's blobs are kept as long as its run is; pins have an end, so this is longer than that. */
const REFERENCE_TTL_MS = 10 * 365 * 24 * 60 * 60 * 1000;

/** Whom a submission is checked against. */
export interface SubmissionDeps {
  readonly queues: Queues;
  readonly nodes: Nodes;
  readonly blobs: Pick<BlobStore, "pin" | "stat">;
  readonly secrets: Pick<Secrets, "missing">;
  readonly datasets: Client<typeof datasetContract.DatasetService>;
  readonly tracking: Client<typeof tracking.TrackingService>;
}

/** What a job is bound to from its submission on. */
export interface Bound {
  readonly dataset?: ResolvedDataset;
  readonly startFrom?: StartFrom;
}

/** Throws `invalid_argument` with every problem of the spec by itself. */
export function assertValidSpec(spec: JobSpec): void {
  const violations = validateSpec(spec);
  if (violations.length === 0) return;
  const text = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  throw new DomainError("invalid_argument", "JOB_SPEC_INVALID", `The job cannot be accepted: ${text}.`, {
    violations,
  });
}

/** Checks what depends on others, and gives back what the job is bound to from now on. */
export async function checkSubmission(
  deps: SubmissionDeps,
  { project, runId, spec }: Pick<Job, "project" | "runId" | "spec">,
): Promise<Bound> {
  await assertQueue(deps.queues, spec);
  await assertSecrets(deps.secrets, project, spec);
  await assertFitsFleet(deps.nodes, spec);
  await holdBlobs(deps.blobs, holderName({ kind: "job", project, id: runId }), spec);
  const dataset =
    spec.dataset === undefined ? {} : { dataset: await resolveDataset(deps.datasets, project, spec.dataset) };
  // Last, for it holds the checkpoint for a run that there will be only if all else is well.
  const startFrom =
    spec.startFrom === undefined
      ? {}
      : { startFrom: await holdCheckpoint(deps.tracking, project, runId, spec.startFrom) };
  return { ...dataset, ...startFrom };
}

async function holdCheckpoint(
  tracking: SubmissionDeps["tracking"],
  project: string,
  forRunId: string,
  { runId, step }: StartFrom,
): Promise<StartFrom> {
  const wanted = step === undefined ? {} : { step: BigInt(step) };
  try {
    const { checkpoint } = await tracking.holdCheckpoint(
      { runId, project, forRunId, ...wanted },
      { timeoutMs: RESOLVE_TIMEOUT_MS },
    );
    if (checkpoint === undefined) throw new Error("tracking answered without a checkpoint");
    return { runId, step: Number(checkpoint.step), checkpointId: checkpoint.id };
  } catch (cause) {
    throw under("spec.start_from", fromConnectError(cause));
  }
}

async function assertQueue(queues: Queues, { queue }: JobSpec): Promise<void> {
  if (await queues.exists(queue)) return;
  const names = (await queues.names()).join(", ");
  const description = `there is no queue "${queue}"; there are: ${names}`;
  throw new DomainError("not_found", "QUEUE_NOT_FOUND", `spec.queue: ${description}.`, {
    violations: [{ field: "spec.queue", description }],
  });
}

async function assertSecrets(
  secrets: SubmissionDeps["secrets"],
  project: string,
  spec: JobSpec,
): Promise<void> {
  const named = [...new Set((spec.secrets ?? []).map(({ name }) => name))];
  const missing = named.length === 0 ? [] : await secrets.missing(project, named);
  if (missing.length === 0) return;
  const description = `there is no secret ${missing.join(", ")} in project "${project}": set it with \`trainyard secrets set NAME\``;
  throw new DomainError("failed_precondition", "SECRET_NOT_FOUND", `spec.secrets: ${description}.`, {
    violations: [{ field: "spec.secrets", description }],
  });
}

async function assertFitsFleet(nodes: Nodes, spec: JobSpec): Promise<void> {
  const problem = neverFits(await nodes.all(), { ...shapeOf(spec), ranks: fewestRanks(spec) });
  if (problem === undefined) return;
  const { message, slotsNeeded, slotsKnown, ranksThatFit, field } = problem;
  throw new DomainError("failed_precondition", "WOULD_NEVER_FIT", message, {
    violations: [{ field, description: message }],
    metadata: {
      slots_needed: String(slotsNeeded),
      slots_known: String(slotsKnown),
      ranks_that_fit: String(ranksThatFit),
    },
  });
}

/** Pins what the job brings, and only then looks whether it is there. */
async function holdBlobs(blobs: SubmissionDeps["blobs"], holder: string, spec: JobSpec): Promise<void> {
  const wanted = [
    { field: "spec.code.digest", digest: spec.code.digest },
    { field: "spec.code.dirty_diff_digest", digest: spec.code.dirtyDiffDigest },
    ...spec.inputs.map(({ digest }, index) => ({ field: `spec.inputs[${index}].digest`, digest })),
  ].filter(({ digest }) => digest !== "");
  const found = await Promise.all(
    wanted.map(async ({ digest }) => {
      await blobs.pin(digest, { holder, ttlMs: REFERENCE_TTL_MS });
      return await blobs.stat(digest);
    }),
  );
  const violations = wanted
    .filter((_, index) => found[index] === undefined)
    .map(({ field, digest }) => ({
      field,
      description: `blob ${digest} is not in the blob store: upload it first`,
    }));
  if (violations.length === 0) return;
  const text = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  throw new DomainError("failed_precondition", "BLOB_MISSING", `${text}.`, { violations });
}

async function resolveDataset(
  datasets: SubmissionDeps["datasets"],
  project: string,
  ref: NonNullable<JobSpec["dataset"]>,
): Promise<ResolvedDataset> {
  try {
    const { datasetVersion } = await datasets.resolveDatasetVersion(
      { ...ref },
      { ...inProject(project), timeoutMs: RESOLVE_TIMEOUT_MS },
    );
    if (datasetVersion === undefined) throw new Error("the dataset service answered without a version");
    const { id: versionId, name, version, schemaHash, manifestDigest } = datasetVersion;
    return { versionId, name, version, schemaHash, manifestDigest };
  } catch (cause) {
    throw under("spec.dataset", fromConnectError(cause));
  }
}

/** Another service's refusal as it is, its fields (or the whole) put under that field of the job. */
function under(place: string, error: DomainError): DomainError {
  const { code, reason, message, violations, metadata, retryAfterMs, cause } = error;
  const own =
    violations.length === 0
      ? [{ field: place, description: message }]
      : violations.map(({ field, description }) => ({ field: `${place}.${field}`, description }));
  return new DomainError(code, reason, message, {
    violations: own,
    metadata,
    cause,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
