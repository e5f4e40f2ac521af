import type { Priority } from "./job-spec.ts";
import type { WaitingJob } from "./snapshot.ts";

const places: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 };

/**
 * The line: priority class, then who was accepted first, then the id. A retried job keeps its time of acceptance and so
 * stands before everyone who came later.
 */
export function compareWaiting(a: WaitingJob, b: WaitingJob): number {
  return (
    places[a.priority] - places[b.priority] ||
    a.createdAtMs - b.createdAtMs ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}
