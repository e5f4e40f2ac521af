import { scheduler, tracking } from "@trainyard/contracts";
import { type FinalStatus, type RunStatus, runStatuses } from "../domain/run-status.ts";

const { RunStatus: Wire } = tracking;

const toWire = {
  queued: Wire.QUEUED,
  running: Wire.RUNNING,
  completed: Wire.COMPLETED,
  failed: Wire.FAILED,
  killed: Wire.KILLED,
} as const satisfies Record<RunStatus, tracking.RunStatus>;

/** A run's status as the wire has it. */
export function statusToProto(status: RunStatus): tracking.RunStatus {
  return toWire[status];
}

/** A run's status; undefined for one that this version does not know. */
export function statusFromProto(status: tracking.RunStatus): RunStatus | undefined {
  return runStatuses.find((known) => toWire[known] === status);
}

/** How the run of a job in this state ends; undefined while it has not ended. */
export function finalStatusOf(state: scheduler.JobState): FinalStatus | undefined {
  switch (state) {
    case scheduler.JobState.SUCCEEDED:
      return "completed";
    case scheduler.JobState.FAILED:
      return "failed";
    case scheduler.JobState.CANCELLED:
      return "killed";
    default:
      return undefined;
  }
}
