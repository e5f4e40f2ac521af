import { crashPoint } from "@trainyard/failpoint";
import { recordSpan } from "@trainyard/telemetry";
import { gangSize } from "../domain/attempt.ts";
import { decide } from "../domain/decide.ts";
import type { Decision } from "../domain/decision.ts";
import { mayGrow, type RunningElastic } from "../domain/grow.ts";
import { type Job, liveAttempt } from "../domain/job.ts";
import { admit } from "../domain/job-changes.ts";
import { shapeOf } from "../domain/job-spec.ts";
import { attemptKey, whyUnusable } from "../domain/node-usable.ts";
import { severedPairs } from "../domain/severed-pairs.ts";
import type { NodeCapacity, Snapshot, WaitingJob } from "../domain/snapshot.ts";
import { whyWithheld } from "../domain/withheld.ts";
import type { ActiveJobs } from "./active-jobs.ts";
import type { KeptNodes } from "./keep-nodes.ts";
import type { Term } from "./term.ts";

/** Decides over the waiting jobs whenever something that a decision depends on has changed. */
export interface Admitter {
  /** The new decision after admitting what it says; `undefined` when nothing has changed since the last. */
  round(): Promise<Decision | undefined>;
  /** The elastic gang that may grow now, with how many ranks it would have. */
  growth(): { readonly jobId: string; readonly ranks: number } | undefined;
}

/** The admitter of a term. */
export function createAdmitter(term: Term, jobs: ActiveJobs, nodes: KeptNodes): Admitter {
  let decidedOn = "";
  let dueMs = Number.POSITIVE_INFINITY;
  return {
    async round() {
      const capacities = capacitiesOf(term, jobs, nodes);
      const nowMs = Date.now();
      const severed = severedPairs(nodes.list(), new Date(nowMs));
      // A pair that is no longer avoided is missing here, so that what waited for it is decided anew.
      const key = `${jobs.revision()} ${JSON.stringify([capacities, severed])}`;
      if (key === decidedOn && nowMs < dueMs) return undefined;
      const snapshot = { ...snapshotOf(capacities, jobs), severed };
      const decision = decide(snapshot, nowMs);
      // Kept from before the admissions: they change the jobs, so the next round looks again.
      decidedOn = key;
      dueMs = Math.min(
        ...snapshot.waiting.map(({ notBeforeMs = 0 }) => notBeforeMs).filter((at) => at > nowMs),
      );
      for (const admission of decision.admissions) await admitOne(term, jobs, admission);
      return decision;
    },
    growth() {
      const running = jobs.list().flatMap(runningElastic);
      if (running.length === 0) return undefined;
      const { nodes: capacities, held, waiting } = snapshotOf(capacitiesOf(term, jobs, nodes), jobs);
      const fleet = { nodes: capacities, held, waiting: waiting.length };
      return mayGrow(running, fleet, Date.now(), term.config.growAfterMs);
    },
  };
}

function runningElastic(job: Job): RunningElastic[] {
  const { id: jobId, spec, createdAt } = job;
  const attempt = liveAttempt(job);
  if (spec.minRanks === undefined || job.cancel !== undefined || attempt?.state !== "running") return [];
  return [
    {
      jobId,
      createdAtMs: createdAt.getTime(),
      ranks: gangSize(attempt),
      mostRanks: spec.ranks,
      slotsPerRank: spec.slotsPerRank,
      ...(spec.slotKind === undefined ? {} : { slotKind: spec.slotKind }),
      sinceMs: (attempt.ranksStartedAt ?? attempt.admittedAt).getTime(),
    },
  ];
}

function capacitiesOf({ fleet }: Term, jobs: ActiveJobs, nodes: KeptNodes): readonly NodeCapacity[] {
  const now = new Date();
  const live = new Map<string, Set<string>>();
  for (const job of jobs.list()) {
    const attempt = liveAttempt(job);
    for (const { nodeId } of attempt?.placements ?? []) {
      const own = live.get(nodeId) ?? new Set();
      live.set(nodeId, own.add(attemptKey(job.id, attempt?.number ?? 0)));
    }
  }
  return nodes.list().map((node) => {
    const withheld = whyWithheld(node, now);
    return {
      id: node.id,
      slots: node.slots,
      slotKind: node.slotKind,
      usable:
        whyUnusable(node, fleet.latest(node.id)?.heartbeat, live.get(node.id) ?? new Set()) === undefined,
      present: node.state !== "lost",
      ...(withheld === undefined ? {} : { withheld }),
    };
  });
}

function snapshotOf(nodes: readonly NodeCapacity[], jobs: ActiveJobs): Snapshot {
  const all = jobs.list();
  return {
    nodes,
    waiting: all.filter((job) => job.state === "queued" && job.cancel === undefined).map(waitingOf),
    held: all.flatMap((job) => liveAttempt(job)?.placements ?? []),
  };
}

function waitingOf(job: Job): WaitingJob {
  const { id, spec, createdAt, notBefore, failure } = job;
  return {
    id,
    queue: spec.queue,
    priority: spec.priority,
    createdAtMs: createdAt.getTime(),
    ...shapeOf(spec),
    ...(notBefore === undefined ? {} : { notBeforeMs: notBefore.getTime() }),
    ...(failure === undefined ? {} : { retryReason: failure.reason }),
  };
}

async function admitOne(
  term: Term,
  jobs: ActiveJobs,
  { jobId, placements }: Decision["admissions"][number],
): Promise<void> {
  const job = jobs.get(jobId);
  if (job?.state !== "queued") return;
  const now = new Date();
  const change = admit(job, placements, now);
  const stored = await jobs.commit(change, "admit gang", (tx) =>
    // The job's own new attempt is part of the snapshot by now; only others' slots are asked for.
    term.jobs.assertFree(tx, jobId, placements),
  );
  if (!stored) return;
  crashPoint("scheduler.admit.committed");
  const number = change.job.attempts.length;
  term.logger.info(
    { job: jobId, attempt: number, nodes: placements.map(({ nodeId }) => nodeId) },
    "gang admitted",
  );
  recordSpan("schedule", {
    tracerName: "scheduler",
    parent: job.traceparent,
    startTime: job.attempts.at(-1)?.endedAt ?? job.createdAt,
    endTime: now,
    attributes: {
      "trainyard.job": jobId,
      "trainyard.attempt": number,
      "trainyard.ranks": placements.reduce((sum, { ranks }) => sum + ranks.length, 0),
      "trainyard.nodes": placements.length,
    },
  });
}
