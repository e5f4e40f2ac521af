/** Where a run is. The last three are final. */
export const runStatuses = ["queued", "running", "completed", "failed", "killed"] as const;
export type RunStatus = (typeof runStatuses)[number];

/** The statuses of a run that has not ended. */
export const openStatuses = ["queued", "running"] as const satisfies readonly RunStatus[];

/** How a run may end. */
export type FinalStatus = Extract<RunStatus, "completed" | "failed" | "killed">;

/** Whether nothing about the run changes any more. */
export function isFinal(status: RunStatus): status is FinalStatus {
  return status === "completed" || status === "failed" || status === "killed";
}

/** What the scheduler's events have told about a run's attempts, in whatever order they came. */
export interface AttemptSightings {
  /** Numbers of attempts whose ranks all started. */
  readonly started: readonly number[];
  /** Numbers of attempts that are over. */
  readonly ended: readonly number[];
}

/** The status of a run that has not ended: running while an attempt runs, queued before, between and after. */
export function openStatus({ started, ended }: AttemptSightings): RunStatus {
  return started.some((number) => !ended.includes(number)) ? "running" : "queued";
}
