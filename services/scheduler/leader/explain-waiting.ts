import type { Decision, Explanation } from "../domain/decision.ts";
import { explainHeldBack, explainStarting } from "../domain/explain.ts";
import type { HeldBack } from "../domain/held-back.ts";
import type { Job } from "../domain/job.ts";
import type { Pending } from "../domain/pending.ts";
import type { ActiveJobs } from "./active-jobs.ts";
import type { Term } from "./term.ts";

/** Explanations stored in one round: with thousands waiting, the front of the line comes first. */
const MAX_WRITES_PER_ROUND = 200;

/** Stores why jobs wait, where it changed. */
export interface Explainer {
  /**
   * Takes a new decision, if there is one, and which admitted gangs are held back now; stores the next explanations that
   * differ from what is stored.
   */
  round(decision: Decision | undefined, held: readonly HeldBack[]): Promise<void>;
}

/** The explainer of a term. */
export function createExplainer(term: Term, jobs: ActiveJobs): Explainer {
  let open: Decision["explanations"] = [];
  const told = new Map<string, string>();
  /** Jobs that were told they are held back; in a term's first round those that its predecessors told. */
  let heldBefore: readonly string[] | undefined;

  /** Of admitted gangs only those that are held back, or were until now: the others were told when they were placed. */
  function heldExplanations(held: readonly HeldBack[]): readonly Explanation[] {
    const now = held.flatMap((each) => {
      const job = jobs.get(each.jobId);
      return job === undefined ? [] : [{ jobId: job.id, pending: explainHeldBack(job, each) }];
    });
    heldBefore ??= jobs
      .list()
      .filter(({ pending }) => pending?.reason === "node-orders-full")
      .map(({ id }) => id);
    const freed = heldBefore.flatMap((jobId) => {
      const job = jobs.get(jobId);
      if (job === undefined || held.some((each) => each.jobId === jobId)) return [];
      return [{ jobId, pending: explainStarting(job) }];
    });
    heldBefore = now.map(({ jobId }) => jobId);
    return [...now, ...freed];
  }

  /** What is to be stored, if the job is in that state and has not been told just this. */
  function news({ jobId, pending }: Explanation, state: Job["state"]) {
    const job = jobs.get(jobId);
    if (job?.state !== state) return [];
    const text = JSON.stringify([job.version, pending]);
    if (told.get(jobId) === text) return [];
    told.set(jobId, text);
    return [{ job, pending }];
  }

  return {
    async round(decision, held) {
      if (decision !== undefined) open = decision.explanations;
      const due: { job: Job; pending: Pending }[] = [];
      for (const explanation of heldExplanations(held)) due.push(...news(explanation, "starting"));
      for (const { job, pending } of due) {
        term.logger.warn(
          { job: job.id, reason: pending.reason, why: pending.message },
          "placed gang explained",
        );
      }
      let at = 0;
      for (; at < open.length && due.length < MAX_WRITES_PER_ROUND; at++) {
        const explanation = open[at];
        if (explanation !== undefined) due.push(...news(explanation, "queued"));
      }
      open = open.slice(at);
      for (const id of [...told.keys()]) if (jobs.get(id) === undefined) told.delete(id);
      await term.jobs.explain(due);
      for (const { job } of due) term.wake.raise(job.id);
    },
  };
}
