import { applyGates } from "./apply-gates.ts";
import { type Evaluation, isFinal, type RunEnd } from "./evaluation.ts";
import type { Measured } from "./measured.ts";
import type { Gate } from "./suite.ts";

/** An evaluation in its final state needs nothing any more. */
function ended(evaluation: Evaluation, change: Partial<Evaluation>, now: Date): Evaluation {
  const { dueAt: _due, runEnd: _end, ...rest } = evaluation;
  return { ...rest, ...change, tries: 0, version: evaluation.version + 1, endedAt: now };
}

/** It could not be measured, and the message says why. */
export function errored(evaluation: Evaluation, message: string, now: Date): Evaluation {
  return ended(evaluation, { state: "errored", message }, now);
}

/** Its job is submitted. */
export function submitted(
  evaluation: Evaluation,
  job: { readonly jobId: string; readonly runId: string },
): Evaluation {
  const { dueAt: _, ...rest } = evaluation;
  return { ...rest, ...job, state: "running", tries: 0, version: evaluation.version + 1 };
}

/**
 * Its run has ended. The end may be told before the submission's own answer has arrived, so it brings the job along.
 * `undefined` when the evaluation is final or knows its run's end already.
 */
export function runEnded(
  evaluation: Evaluation,
  job: { readonly jobId: string; readonly runId: string },
  runEnd: RunEnd,
  now: Date,
): Evaluation | undefined {
  if (isFinal(evaluation.state) || evaluation.runEnd !== undefined) return undefined;
  return { ...submitted(evaluation, job), runEnd, dueAt: now };
}

/** The gates decide over what was measured. */
export function judged(
  evaluation: Evaluation,
  gates: readonly Gate[],
  measured: Measured,
  source: { readonly datasetVersion: string; readonly artifactDigest: string },
  now: Date,
): Evaluation {
  const results = applyGates(gates, measured);
  const state = results.every(({ passed }) => passed) ? "passed" : "failed";
  return ended(evaluation, { state, report: { ...measured, ...source, gates: results } }, now);
}
