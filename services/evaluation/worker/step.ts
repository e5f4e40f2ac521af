import { ConnectError } from "@connectrpc/connect";
import { type DomainError, type ErrorCode, isDomainError } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import type { Evaluation } from "../domain/evaluation.ts";
import { errored } from "../domain/transitions.ts";
import { collect } from "./collect.ts";
import type { WorkerDeps } from "./deps.ts";
import { endEvaluation } from "./end-evaluation.ts";
import { ReportError } from "./parse-report.ts";
import { submit } from "./submit.ts";

/** Answers that trying again would not change: the evaluation errors with what they say. */
const permanentCodes: readonly ErrorCode[] = [
  "invalid_argument",
  "not_found",
  "failed_precondition",
  "already_exists",
  "permission_denied",
];

const firstPauseMs = 250;
const longestPauseMs = 30_000;

/** Does what is due for one evaluation. What is out of reach is tried again, for ever, with growing pauses. */
export async function step(deps: WorkerDeps, evaluation: Evaluation): Promise<void> {
  try {
    if (evaluation.runEnd !== undefined) await collect(deps, evaluation, evaluation.runEnd);
    else await submit(deps, evaluation);
  } catch (thrown) {
    const error = thrown instanceof ConnectError ? fromConnectError(thrown) : thrown;
    const refusal = permanentMessage(error);
    if (refusal !== undefined) return endEvaluation(deps, errored(evaluation, refusal, new Date()));
    const pauseMs = pauseAfter(evaluation.tries, isDomainError(error) ? error : undefined);
    deps.logger.warn({ err: error, evaluation: evaluation.id, pauseMs }, "evaluation has to wait");
    await deps.evaluations.putOff(evaluation, new Date(Date.now() + pauseMs));
  }
}

function permanentMessage(error: unknown): string | undefined {
  if (error instanceof ReportError) return `Its report cannot be used: ${error.message}.`;
  return isDomainError(error) && permanentCodes.includes(error.code)
    ? `${error.message} (${error.reason})`
    : undefined;
}

function pauseAfter(tries: number, error: DomainError | undefined): number {
  const growing = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 10));
  return Math.max(error?.retryAfterMs ?? 0, growing / 2 + (Math.random() * growing) / 2);
}
