import { priorities } from "./job-spec.ts";
import type { WaitingJob } from "./snapshot.ts";

/**
 * The line: priority class, then who was accepted first, then the id. A retried job keeps its time of acceptance and so
 * stands before everyone who came later.
 */
export function compareWaiting(a: WaitingJob, b: WaitingJob): number {
  return (
    priorities.indexOf(a.priority) - priorities.indexOf(b.priority) ||
    a.createdAtMs - b.createdAtMs ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}
