import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { inProject } from "@trainyard/service";
import { withTraceparent } from "@trainyard/telemetry";
import type { Evaluation } from "../domain/evaluation.ts";
import type { Suite } from "../domain/suite.ts";
import { submitted } from "../domain/transitions.ts";
import type { WorkerDeps } from "./deps.ts";
import { jobOf } from "./job-of.ts";

/**
 * Submits an evaluation's job. Its request id is the evaluation's, and the job is the same each time, so a crash after the
 * scheduler has accepted it, or another replica at the same moment, makes no second one.
 */
export async function submit(deps: WorkerDeps, evaluation: Evaluation): Promise<void> {
  const { store, suites, evaluations, jobs } = deps;
  if (evaluation.files.length === 0) throw noFiles(evaluation);
  const suite = await suites.getRevision(evaluation.project, evaluation.suite, evaluation.suiteRevision);
  await withTraceparent(evaluation.traceparent, async () => {
    const datasetVersion = await heldDatasetVersion(deps, evaluation, suite);
    const { job } = await jobs.submitJob({
      requestId: evaluation.id,
      project: evaluation.project,
      spec: jobOf(evaluation, suite, datasetVersion),
    });
    if (job === undefined) throw new Error("the scheduler answered without a job");
    crashPoint("evaluation.submit.submitted");
    const next = submitted({ ...evaluation, datasetVersion }, { jobId: job.id, runId: job.runId });
    // Somebody else has written the same, or the run's end already, when this writes nothing.
    await store.transaction("evaluation submitted", (tx) => evaluations.save(next, tx));
    deps.logger.info({ evaluation: next.id, job: next.jobId, run: next.runId }, "evaluation job submitted");
  });
}

/** "latest" is decided once per evaluation: another answer at the next try would make another job of the same request id. */
async function heldDatasetVersion(
  { datasets, evaluations }: WorkerDeps,
  evaluation: Evaluation,
  suite: Suite,
): Promise<string> {
  if (evaluation.datasetVersion !== "") return evaluation.datasetVersion;
  const { datasetVersion } = await datasets.resolveDatasetVersion(
    { name: suite.dataset, version: suite.datasetVersion },
    inProject(evaluation.project),
  );
  if (datasetVersion === undefined) throw new Error("the dataset service answered without a version");
  return evaluations.holdDatasetVersion(evaluation, datasetVersion.version);
}

function noFiles({ model, modelVersion }: Evaluation): DomainError {
  return new DomainError(
    "failed_precondition",
    "MODEL_HAS_NO_FILES",
    `${model} ${modelVersion} was registered by its URI, and its files are not in the blob store: only a model that a run has logged can be evaluated.`,
  );
}
