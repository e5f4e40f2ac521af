import { create, toJsonString } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { DEFAULT_CHECKPOINTS_KEPT } from "../domain/limits.ts";
import { mergeTexts, paramsOfJob } from "../domain/named-text.ts";
import { bareRun, type RunRecord, type Submission } from "../domain/run-record.ts";
import { dateOf } from "../wire/time.ts";
import { emitCreated } from "./emit-run.ts";
import { ensureExperiment } from "./ensure-experiment.ts";

/** Says of a run that nothing has recorded what data it was trained on. */
const untracked = { key: "trainyard.untracked_data", value: "true" } as const;

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
  const spec = job.spec ?? create(scheduler.JobSpecSchema);
  const name = spec.experiment === "" ? spec.name : spec.experiment;
  const experiment = await ensureExperiment(deps, tx, job.project, name, { by: job.createdBy, actor });
  const run: RunRecord = {
    ...bare,
    version: bare.version + 1,
    name: spec.name,
    experimentId: experiment.id,
    params: paramsOfJob(spec.params ?? {}),
    ...(spec.dataPaths.length === 0 ? {} : { tags: mergeTexts(bare.tags, [untracked]) }),
    createdBy: job.createdBy,
    createdAt,
    updatedAt: createdAt,
    submission: submissionOf(job, spec),
  };
  await runs.save(tx, run);
  if (known !== undefined) await deps.records.metricStates.markStale(tx, run.id);
  await emitCreated(tx, run, experiment, actor);
  return run;
}

function bestKept(best: scheduler.BestPolicy | undefined): Pick<Submission, "bestKept"> {
  if (best === undefined) return {};
  const mode = best.mode === scheduler.BestMode.MAX ? "max" : "min";
  return { bestKept: { metric: best.metric, mode, keep: best.keep || 1 } };
}

function submissionOf(job: scheduler.Job, spec: scheduler.JobSpec): Submission {
  return {
    spec: toJsonString(scheduler.JobSpecSchema, spec),
    checkpointsKept: spec.checkpoint?.keep || DEFAULT_CHECKPOINTS_KEPT,
    ...bestKept(spec.checkpoint?.best),
    ...(job.dataset === undefined
      ? {}
      : { dataset: toJsonString(scheduler.ResolvedDatasetSchema, job.dataset) }),
    ...(job.traceparent === "" ? {} : { traceparent: job.traceparent }),
  };
}
