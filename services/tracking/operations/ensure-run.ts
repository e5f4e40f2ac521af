import { create, toJsonString } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { DEFAULT_CHECKPOINTS_KEPT } from "../domain/limits.ts";
import { bareRun, type RunRecord, type Submission } from "../domain/run-record.ts";
import { runToProto } from "../wire/run-to-proto.ts";
import { dateOf } from "../wire/time.ts";

/**
 * The run of a job, with what its submission tells. Creates what is missing (run, experiment) and emits run.created
 * exactly once, whichever event of the job comes first, since each that matters carries the whole job.
 */
export async function ensureSubmitted(
  deps: Deps,
  tx: Tx,
  job: scheduler.Job,
  actor: string,
): Promise<RunRecord> {
  const { runs } = deps.records;
  const known = await runs.find(job.runId, tx);
  if (known?.submission !== undefined) return known;
  const createdAt = dateOf(job.createdAt) ?? deps.now();
  const bare =
    known ??
    bareRun({ id: job.runId, project: job.project, jobId: job.id, createdBy: job.createdBy, createdAt });
  const run: RunRecord = {
    ...bare,
    version: bare.version + 1,
    createdBy: job.createdBy,
    createdAt,
    submission: await submissionOf(deps, tx, job),
  };
  await runs.save(tx, run);
  await tx.emit({
    schema: tracking.RunCreatedSchema,
    project: run.project,
    id: run.id,
    aggregateVersion: run.version,
    actor,
    data: create(tracking.RunCreatedSchema, { run: runToProto({ run }) }),
  });
  return run;
}

async function submissionOf(deps: Deps, tx: Tx, job: scheduler.Job): Promise<Submission> {
  const spec = job.spec ?? create(scheduler.JobSpecSchema);
  const experiment = spec.experiment === "" ? spec.name : spec.experiment;
  return {
    name: spec.name,
    experiment,
    experimentId: await ensureExperiment(deps, tx, job, experiment),
    spec: toJsonString(scheduler.JobSpecSchema, spec),
    checkpointsKept: spec.checkpoint?.keep || DEFAULT_CHECKPOINTS_KEPT,
    ...(job.dataset === undefined
      ? {}
      : { dataset: toJsonString(scheduler.ResolvedDatasetSchema, job.dataset) }),
    ...(job.traceparent === "" ? {} : { traceparent: job.traceparent }),
  };
}

async function ensureExperiment(deps: Deps, tx: Tx, job: scheduler.Job, name: string): Promise<string> {
  const { experiments } = deps.records;
  const known = await experiments.findByName(job.project, name, tx);
  if (known !== undefined) return known.id;
  const id = newId("exp");
  await experiments.insert(tx, {
    id,
    project: job.project,
    name,
    description: "",
    owner: job.createdBy,
    createdBy: job.createdBy,
    createdAt: deps.now(),
    version: 1,
  });
  return id;
}
