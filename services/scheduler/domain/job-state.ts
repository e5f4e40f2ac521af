/** Where a job is in its life. */
export type JobState =
  | "queued"
  | "starting"
  | "running"
  | "cancelling"
  | "succeeded"
  | "failed"
  | "cancelled";

/** The transitions of a job; whatever is not here never happens. */
export const jobTransitions: Readonly<Record<JobState, readonly JobState[]>> = {
  queued: ["starting", "cancelled"],
  // Back to queued: the attempt ended and another may follow. Succeeded: its ranks ended well while it was being stopped.
  starting: ["running", "queued", "succeeded", "failed", "cancelling"],
  running: ["queued", "succeeded", "failed", "cancelling"],
  cancelling: ["cancelled"],
  succeeded: [],
  failed: [],
  cancelled: [],
};

/** States that nothing leaves. */
export const finalJobStates: readonly JobState[] = ["succeeded", "failed", "cancelled"];

/** Whether a job in this state will never change again. */
export function isFinal(state: JobState): boolean {
  return finalJobStates.includes(state);
}

/** Throws when the move is not in the table: a bug of the caller, never a user's error. */
export function assertJobTransition(from: JobState, to: JobState): void {
  if (!jobTransitions[from].includes(to)) throw new Error(`a job cannot go from ${from} to ${to}`);
}
