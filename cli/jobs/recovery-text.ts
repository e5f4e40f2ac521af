import { scheduler, tracking } from "@trainyard/contracts";
import { formatDuration } from "../terminal/duration.ts";
import { safeText } from "../terminal/text.ts";

const { JobState } = scheduler;

/** What the death of a rank costs the job, in a sentence; empty while it waits, and once it has ended. */
export function recoveryText(job: scheduler.Job, run: tracking.Run | undefined): string {
  if (job.state < JobState.RUNNING || job.state >= JobState.SUCCEEDED) return "";
  const recovery = run?.recovery;
  if (recovery === undefined) {
    return "a rank's death is made good from checkpoints of the script's own only: it has not handed its state to the SDK";
  }
  if (recovery.mode === tracking.RecoveryMode.JUST_IN_TIME) return "a rank's death costs no step";
  return `a rank's death costs the steps since the last checkpoint: ${safeText(recovery.message)}`;
}

/** What became of an attempt's state when a rank had died, as the end of its line; empty when there was nothing of it. */
export function handoverText(run: tracking.Run | undefined, attempt: number): string {
  const handover = run?.attempts.find(({ number }) => number === attempt)?.handover;
  if (handover === undefined) return "";
  if (!handover.saved)
    return `not saved by its survivors (${handover.reason}): ${safeText(handover.message)}`;
  return `step ${handover.step} saved by its survivors in ${formatDuration(handover.seconds * 1_000)}`;
}
