import type { Checkpoint } from "./checkpoint.ts";
import { type AttemptOrigin, type ResumePoint, visibleEnd, visibleHistory } from "./visible-history.ts";

/**
 * The checkpoint that the next attempt begins at: of those committed in the visible history the one of the highest step,
 * of the newest attempt among equal steps; `undefined` when there is none and it begins at step 0. A checkpoint outside
 * the history would bring back steps that a later attempt has already replaced.
 */
export function chooseResume(
  attempts: readonly AttemptOrigin[],
  checkpoints: readonly Checkpoint[],
): Checkpoint | undefined {
  const history = visibleHistory(attempts);
  return checkpoints
    .filter((checkpoint) => checkpoint.state === "committed")
    .filter(({ attempt, parts }) =>
      parts.every(({ rank, recordsOffset }) => recordsOffset <= visibleEnd(history, attempt, rank)),
    )
    .filter(({ attempt }) => history.has(attempt))
    .sort((a, b) => b.step - a.step || b.attempt - a.attempt)[0];
}

/** What an attempt keeps of the checkpoint it begins at: enough to tell history after the checkpoint is gone. */
export function resumePointOf(checkpoint: Checkpoint): ResumePoint {
  return {
    checkpointId: checkpoint.id,
    attempt: checkpoint.attempt,
    step: checkpoint.step,
    offsets: checkpoint.parts.map(({ rank, recordsOffset }) => ({ rank, offset: recordsOffset })),
  };
}
