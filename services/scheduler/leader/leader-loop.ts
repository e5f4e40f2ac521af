import type { Part } from "@trainyard/service";
import { StaleLeaseError } from "@trainyard/store";
import { desiredParts } from "../domain/desired-parts.ts";
import { type Job, liveAttempt } from "../domain/job.ts";
import type { Node } from "../domain/node.ts";
import { reaped } from "../domain/reaped.ts";
import { LEADER_TOPIC } from "../wake.ts";
import { createActiveJobs } from "./active-jobs.ts";
import { createAdmitter } from "./admit-gangs.ts";
import { driveAttempts } from "./drive-attempts.ts";
import { createExplainer } from "./explain-waiting.ts";
import { createKeptNodes, type KeptNodes } from "./keep-nodes.ts";
import { createOpener } from "./open-attempts.ts";
import { createProjector, type Projector } from "./projector.ts";
import { createTerm, type LeaderDeps, type Term } from "./term.ts";
import { createGangWatch } from "./watch-gangs.ts";

/** The leader looks again after so long when nothing wakes it: for what other replicas accept, and for time that passes. */
const ROUND_EVERY_MS = 200;

/** Rounds of a term, each the whole cycle. */
function createRounds(term: Term): () => Promise<void> {
  const jobs = createActiveJobs(term);
  const nodes = createKeptNodes(term);
  const projector = createProjector(term);
  const opener = createOpener(term, jobs);
  const admitter = createAdmitter(term, jobs, nodes);
  const watch = createGangWatch(term, jobs, nodes);
  const explainer = createExplainer(term, jobs);
  let loaded = false;

  return async () => {
    if (!loaded) await nodes.load();
    loaded = true;
    // 1. Heads: the jobs that are not over, and what the nodes say and do not say.
    await jobs.refresh();
    await nodes.update(performance.now(), new Date(), busyNodes(jobs.list()));
    // 2. Observe: attempts go as far as the reports carry them; what nodes have reaped is forgotten.
    await driveAttempts(term, jobs, nodes, projector, watch);
    await forgetReaped(term, nodes, projector);
    // 3. Snapshot, decide, and reserve the slots of the gangs that are admitted.
    const decision = await admitter.round();
    watch.round(admitter.growth());
    // 4. Open: tracking is told, and attempts that it has opened are placed.
    await opener.round();
    // 5. Project: the agents are told.
    const held = await projector.project(
      desiredParts(jobs.list(), nodes.list()),
      drainingNodes(nodes.list()),
    );
    // 6. Explain: whoever waits is told why.
    await explainer.round(decision, held);
  };
}

/** The nodes on which live attempts hold slots. */
function busyNodes(jobs: readonly Job[]): ReadonlySet<string> {
  return new Set(jobs.flatMap((job) => liveAttempt(job)?.placements ?? []).map(({ nodeId }) => nodeId));
}

function drainingNodes(nodes: readonly Node[]): ReadonlySet<string> {
  const leaving = nodes.filter(({ duty }) => duty?.state === "draining" || duty?.state === "drained");
  return new Set(leaving.map(({ id }) => id));
}

async function forgetReaped(term: Term, nodes: KeptNodes, projector: Projector): Promise<void> {
  for (const node of nodes.list()) {
    const heartbeat = term.fleet.latest(node.id)?.heartbeat;
    if (node.unreaped.length === 0 || heartbeat === undefined || node.state === "lost") continue;
    const gone = reaped(node.unreaped, heartbeat, (each) =>
      projector.stopCarriedSince(node.id, each.jobId, each.attempt),
    );
    await nodes.forgetUnreaped(node.id, gone);
  }
}

/** Leads whenever this process holds the lease, and is idle otherwise. */
export function leaderLoop(deps: LeaderDeps): Part {
  const { lease, probe, wake, logger } = deps;
  const stopping = new AbortController();
  let done: Promise<void> | undefined;

  async function lead(term: Term): Promise<void> {
    const ended = AbortSignal.any([stopping.signal, term.grant.signal]);
    const round = createRounds(term);
    probe.restart();
    logger.info({ epoch: term.grant.token }, "leading");
    while (!ended.aborted) {
      const seen = wake.count();
      try {
        await round();
      } catch (error) {
        if (ended.aborted || error instanceof StaleLeaseError) return;
        logger.error({ err: error }, "a scheduling round failed; trying again");
        await wake.after("", seen, ROUND_EVERY_MS, ended);
        continue;
      }
      await wake.after(LEADER_TOPIC, seen, ROUND_EVERY_MS, ended);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await lead(createTerm(deps, await lease.acquired(stopping.signal)));
      } catch (error) {
        if (!stopping.signal.aborted) logger.error({ err: error }, "the term ended with an error");
      }
    }
  }

  return {
    name: "leader loop",
    async start() {
      done = run();
    },
    async stop() {
      stopping.abort(new Error("the scheduler is stopping"));
      await done;
    },
  };
}
