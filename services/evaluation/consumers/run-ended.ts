import { scheduler, tracking } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { EvaluationParts } from "../api/deps.ts";
import type { RunEnd } from "../domain/evaluation.ts";
import { runEnded } from "../domain/transitions.ts";
import { evaluationLabel } from "../worker/job-of.ts";

/** Name of the artifact that holds the report. */
const reportPath = "evaluation.json";

/**
 * Notes that an evaluation's run has ended; the worker then reads the report, which takes the blob store and so has no place
 * in a transaction. The run is known by its label, since its end may be told before the submission's own answer has come.
 */
export function noteRunEnded(
  { evaluations }: Pick<EvaluationParts, "evaluations">,
  logger: Logger,
): EventHandler {
  return on(tracking.RunEndedSchema, { mode: "every-one" }, async (tx, event) => {
    const { run, artifacts } = event.data;
    // Only the evaluation service may submit jobs of this kind, so the label is its own.
    if (run?.spec?.kind !== scheduler.JobKind.EVALUATION) return;
    const evaluation = await evaluations.find(run.spec.labels[evaluationLabel] ?? "", tx);
    if (evaluation === undefined || evaluation.project !== run.project) {
      logger.warn({ run: run.id }, "the run of an unknown evaluation has ended");
      return;
    }
    const next = runEnded(evaluation, { jobId: run.jobId, runId: run.id }, endOf(run, artifacts), new Date());
    if (next === undefined) return;
    if (!(await evaluations.save(next, tx))) throw new Error(`evaluation ${evaluation.id} changed meanwhile`);
  });
}

function endOf(run: tracking.Run, artifacts: readonly tracking.Artifact[]): RunEnd {
  const unmeasured = (message: string): RunEnd => ({ kind: "unmeasured", message });
  switch (run.status) {
    case tracking.RunStatus.COMPLETED: {
      const report = artifacts.find(({ path }) => path === reportPath);
      if (report === undefined) return unmeasured(`Its run ${run.id} kept no artifact ${reportPath}.`);
      return { kind: "completed", reportDigest: report.digest, datasetVersion: run.dataset?.version ?? "" };
    }
    case tracking.RunStatus.KILLED:
      return unmeasured(`Its job ${run.jobId} was cancelled: start the evaluation again.`);
    default:
      return unmeasured(`Its job ${run.jobId} failed: ${whyFailed(run.failure)}`);
  }
}

function whyFailed(failure: scheduler.Failure | undefined): string {
  if (failure === undefined) return "no reason was recorded.";
  const lastLine = failure.tracebackTail.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return lastLine === "" || failure.message.includes(lastLine)
    ? failure.message
    : `${failure.message} (${lastLine})`;
}
