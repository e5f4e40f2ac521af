import { crashPoint } from "@trainyard/failpoint";
import { applyTransition } from "../domain/apply-transition.ts";
import type { Attempt } from "../domain/attempt.ts";
import { type Job, liveAttempt } from "../domain/job.ts";
import type { Unreaped } from "../domain/node.ts";
import { observe, type Transition } from "../domain/observe.ts";
import { type NodeView, type PartView, viewPart } from "../domain/part-view.ts";
import type { ActiveJobs } from "./active-jobs.ts";
import { cooledBy, severedWith, storeCooled } from "./cool-nodes.ts";
import type { KeptNodes } from "./keep-nodes.ts";
import type { Projector } from "./projector.ts";
import type { Term } from "./term.ts";
import type { GangWatch } from "./watch-gangs.ts";

/** More steps than an attempt has states: a bound that is never reached. */
const MAX_STEPS = 8;

/** Moves every live attempt as far as the nodes' reports carry it. */
export async function driveAttempts(
  term: Term,
  jobs: ActiveJobs,
  nodes: KeptNodes,
  projector: Projector,
  watch: GangWatch,
): Promise<void> {
  for (const { id } of jobs.list()) {
    for (let step = 0; step < MAX_STEPS; step++) {
      const job = jobs.get(id);
      const attempt = job === undefined ? undefined : liveAttempt(job);
      if (job === undefined || attempt === undefined) break;
      const now = new Date();
      const views = viewParts(term, job, attempt, nodes, projector);
      const transition = observe(job, views, now, watch.findings(job, attempt, views, now));
      if (transition === undefined || !(await applyStep(term, jobs, nodes, job, attempt, transition, now)))
        break;
    }
  }
}

function viewParts(
  { fleet }: Term,
  job: Job,
  attempt: Attempt,
  nodes: KeptNodes,
  projector: Projector,
): ReadonlyMap<string, PartView> {
  const views = attempt.placements.map(({ nodeId }) => {
    const heartbeat = fleet.latest(nodeId)?.heartbeat;
    const view: NodeView = {
      state: nodes.get(nodeId)?.state ?? "ready",
      ...(heartbeat === undefined ? {} : { heartbeat }),
    };
    const carriedSince = projector.carriedSince(nodeId, job.id, attempt.number);
    return [nodeId, viewPart(job.id, attempt, nodeId, view, carriedSince)] as const;
  });
  return new Map(views);
}

async function applyStep(
  term: Term,
  jobs: ActiveJobs,
  nodes: KeptNodes,
  job: Job,
  attempt: Attempt,
  transition: Transition,
  now: Date,
): Promise<boolean> {
  const unreaped: Unreaped = {
    jobId: job.id,
    runId: job.runId,
    project: job.project,
    attempt: attempt.number,
  };
  // What was given up without the node's word is remembered with the node, until the agent has reaped it.
  const lost = transition.parts.filter(({ outcome }) => outcome.kind === "lost").map(({ nodeId }) => nodeId);
  const change = applyTransition(job, transition, now);
  const ended = change.job.attempts.find(({ number }) => number === attempt.number);
  const cooled = ended === undefined ? [] : cooledBy(nodes, job.id, ended, now);
  // A failure counts against a node, or against the way between two: never both.
  const severed = ended?.state === "ended" ? severedWith(nodes, ended, now) : [];
  const stored = await jobs.commit(change, `attempt ${transition.kind}`, async (tx) => {
    // First the whole records of nodes, then what is added to them.
    for (const node of cooled) await storeCooled(tx, term, node);
    for (const node of severed) await term.nodes.put(tx, node);
    for (const nodeId of lost) await term.nodes.addUnreaped(tx, nodeId, unreaped);
  });
  if (!stored) return false;
  crashPoint(`scheduler.${transition.kind}.committed`);
  for (const node of [...cooled, ...severed]) nodes.keep(node);
  for (const { id, severed: from } of severed)
    term.logger.warn({ node: id, from: from?.at(-1) }, "two nodes do not reach each other: no gang on both");
  for (const nodeId of lost) nodes.noteUnreaped(nodeId, unreaped);
  const { state, failure } = change.job;
  term.logger.info(
    { job: job.id, attempt: attempt.number, step: transition.kind, state, reason: failure?.reason },
    "attempt moved",
  );
  return true;
}
