import { scheduler } from "@trainyard/contracts";
import { style } from "../terminal/style.ts";

/** An enum value as people say it: "JOB_STATE_QUEUED" without its prefix, "queued". */
export function word(names: Readonly<Record<number, string>>, value: number): string {
  return (names[value] ?? "unknown").toLowerCase().replaceAll("_", " ");
}

/** The job's state as a word. */
export function jobStateWord(state: scheduler.JobState): string {
  return word(scheduler.JobState, state);
}

const { JobState } = scheduler;

/** Whether the job has ended. */
export function isFinal(state: scheduler.JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

/** Colours a state by what it means. */
export function paintState(text: string, state: scheduler.JobState): string {
  if (state === JobState.SUCCEEDED) return style.good(text);
  if (state === JobState.FAILED) return style.bad(text);
  if (state === JobState.CANCELLED || state === JobState.CANCELLING) return style.warn(text);
  return state === JobState.RUNNING ? style.accent(text) : text;
}

/** How a failure came about, in a line: "user: rank 1 exited with 3". */
export function failureLine(failure: scheduler.Failure): string {
  return `${failure.message || failure.reason} (${word(scheduler.FailureClass, failure.class)})`;
}

/** Where the ranks run: "ranks 0-1 on vm". */
export function placementLine(attempt: scheduler.Attempt): string {
  return attempt.placements
    .map(({ nodeId, ranks }) => `${ranks.length === 1 ? "rank" : "ranks"} ${rangeOf(ranks)} on ${nodeId}`)
    .join(", ");
}

function rangeOf(ranks: readonly number[]): string {
  const [first, last] = [ranks[0] ?? 0, ranks.at(-1) ?? 0];
  return first === last
    ? String(first)
    : last - first === ranks.length - 1
      ? `${first}-${last}`
      : ranks.join(",");
}
