import type { Decision } from "../domain/decision.ts";
import type { Job } from "../domain/job.ts";
import type { Pending } from "../domain/pending.ts";
import type { ActiveJobs } from "./active-jobs.ts";
import type { Term } from "./term.ts";

/** Explanations stored in one round: with thousands waiting, the front of the line comes first. */
const MAX_WRITES_PER_ROUND = 200;

/** Stores why jobs wait, where it changed. */
export interface Explainer {
  /** Takes a new decision, if there is one, and stores the next explanations that differ from what is stored. */
  round(decision: Decision | undefined): Promise<void>;
}

/** The explainer of a term. */
export function createExplainer(term: Term, jobs: ActiveJobs): Explainer {
  let open: Decision["explanations"] = [];
  const told = new Map<string, string>();

  return {
    async round(decision) {
      if (decision !== undefined) open = decision.explanations;
      const due: { job: Job; pending: Pending }[] = [];
      let at = 0;
      for (; at < open.length && due.length < MAX_WRITES_PER_ROUND; at++) {
        const explanation = open[at];
        const job = explanation === undefined ? undefined : jobs.get(explanation.jobId);
        if (explanation === undefined || job?.state !== "queued") continue;
        const text = JSON.stringify([job.version, explanation.pending]);
        if (told.get(job.id) === text) continue;
        told.set(job.id, text);
        due.push({ job, pending: explanation.pending });
      }
      open = open.slice(at);
      for (const id of [...told.keys()]) if (jobs.get(id) === undefined) told.delete(id);
      await term.jobs.explain(due);
      for (const { job } of due) term.wake.raise(job.id);
    },
  };
}
