import type { registry } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { Evaluation } from "./domain/evaluation.ts";
import type { Suite } from "./domain/suite.ts";
import { errored } from "./domain/transitions.ts";
import { emitEnded, emitStarted } from "./events.ts";
import type { EvaluationRepository } from "./store/evaluation-repository.ts";

/** What an evaluation is made of. `suite` is undefined when there is none of the name `suiteName`. */
export interface NewEvaluation {
  /** Made outside the transaction, so that one that runs again writes the same. */
  readonly id: string;
  readonly version: registry.ModelVersion;
  readonly suiteName: string;
  readonly suite: Suite | undefined;
  readonly automatic: boolean;
  readonly createdBy: string;
  readonly now: Date;
}

/** Writes a pending evaluation with its event; or, where its suite does not exist, one that has errored and says what to do. */
export async function createEvaluation(
  evaluations: EvaluationRepository,
  tx: Tx,
  { id, version, suiteName, suite, automatic, createdBy, now }: NewEvaluation,
): Promise<Evaluation> {
  const pending: Evaluation = {
    id,
    project: version.project,
    model: version.model,
    modelVersionId: version.id,
    modelVersion: version.version,
    files: version.files.map(({ path, digest }) => ({ path, digest })),
    suite: suiteName,
    suiteRevision: suite?.revision ?? 0,
    state: "pending",
    automatic,
    datasetVersion: "",
    jobId: "",
    runId: "",
    message: "",
    dueAt: now,
    tries: 0,
    version: 1,
    createdBy,
    createdAt: now,
    traceparent: version.traceparent,
  };
  if (suite !== undefined) {
    await evaluations.insert(pending, tx);
    await emitStarted(tx, pending);
    return pending;
  }
  const ended = { ...errored(pending, noSuite(version, suiteName), now), version: 1 };
  await evaluations.insert(ended, tx);
  await emitEnded(tx, ended);
  return ended;
}

function noSuite({ project, model, version }: registry.ModelVersion, suite: string): string {
  return `There is no evaluation suite ${suite} in project ${project}: apply its file, then start an evaluation of ${model} ${version} with it.`;
}
