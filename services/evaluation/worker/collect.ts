import type { Evaluation, RunEnd } from "../domain/evaluation.ts";
import { errored, judged } from "../domain/transitions.ts";
import type { WorkerDeps } from "./deps.ts";
import { endEvaluation } from "./end-evaluation.ts";
import { readReport } from "./read-report.ts";

/** Ends an evaluation whose run has ended: reads the report, applies the gates, tells the world. */
export async function collect(deps: WorkerDeps, evaluation: Evaluation, runEnd: RunEnd): Promise<void> {
  if (runEnd.kind === "unmeasured") {
    return endEvaluation(deps, errored(evaluation, runEnd.message, new Date()));
  }
  const { project, suite: name, suiteRevision } = evaluation;
  const suite = await deps.suites.getRevision(project, name, suiteRevision);
  const measured = await readReport(deps.blobs, runEnd.reportDigest);
  const source = {
    datasetVersion: runEnd.datasetVersion || evaluation.datasetVersion,
    artifactDigest: runEnd.reportDigest,
  };
  await endEvaluation(deps, judged(evaluation, suite.gates, measured, source, new Date()));
}
