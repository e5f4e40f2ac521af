import { isSpanContextValid } from "@opentelemetry/api";
import type { tracking } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { startSpan, traceparentOf, withTraceparent } from "@trainyard/telemetry";
import type { Attempt, ResumePoint } from "../domain/attempt.ts";
import { type Job, liveAttempt } from "../domain/job.ts";
import { place } from "../domain/job-changes.ts";
import { attemptKey } from "../domain/node-usable.ts";
import { LEADER_TOPIC } from "../wake.ts";
import type { ActiveJobs } from "./active-jobs.ts";
import type { Term } from "./term.ts";

/** How long tracking may take to answer. */
const OPEN_TIMEOUT_MS = 5_000;
/** Wait before tracking is asked again. */
const RETRY_MS = 500;

/** Tells tracking of each admitted attempt, which fences the older ones, and places the attempt with the answer. */
export interface Opener {
  /** Starts the calls that are due and takes the answers that have come. Never waits for tracking. */
  round(): Promise<void>;
}

type Call =
  | { readonly kind: "asking" }
  | { readonly kind: "answered"; readonly resume: ResumePoint | undefined }
  | { readonly kind: "failed"; readonly againMs: number };

/** The opener of a term. */
export function createOpener(term: Term, jobs: ActiveJobs): Opener {
  const calls = new Map<string, Call>();

  async function ask(key: string, job: Job, attempt: Attempt): Promise<void> {
    try {
      const { resume } = await withTraceparent(job.traceparent, () =>
        term.tracking.openAttempt(
          {
            runId: job.runId,
            jobId: job.id,
            attempt: attempt.number,
            project: job.project,
            startFromCheckpointId: job.spec.startFrom?.checkpointId ?? "",
            nodes: attempt.placements.map(({ nodeId, ranks }) => ({ nodeId, ranks: [...ranks] })),
          },
          { timeoutMs: OPEN_TIMEOUT_MS, signal: term.grant.signal },
        ),
      );
      calls.set(key, { kind: "answered", resume: resume === undefined ? undefined : resumeFrom(resume) });
    } catch (error) {
      if (term.grant.signal.aborted) return;
      term.logger.warn(
        { err: error, job: job.id, attempt: attempt.number },
        "tracking did not open the attempt yet",
      );
      calls.set(key, { kind: "failed", againMs: performance.now() + RETRY_MS });
    }
    term.wake.raise(LEADER_TOPIC);
  }

  async function placeOne(job: Job, attempt: Attempt, resume: ResumePoint | undefined): Promise<void> {
    const traceparent = recordAttemptSpan(job, attempt);
    const opened = {
      ...(resume === undefined ? {} : { resume }),
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    if (await jobs.commit(place(job, opened), "place attempt")) crashPoint("scheduler.place.committed");
  }

  return {
    async round() {
      const opening = jobs.list().flatMap((job) => {
        const attempt = liveAttempt(job);
        return attempt?.state === "opening" && job.cancel === undefined ? [{ job, attempt }] : [];
      });
      const due = new Set(opening.map(({ job, attempt }) => attemptKey(job.id, attempt.number)));
      for (const key of [...calls.keys()])
        if (!due.has(key) && calls.get(key)?.kind !== "asking") calls.delete(key);
      for (const { job, attempt } of opening) {
        const key = attemptKey(job.id, attempt.number);
        const call = calls.get(key);
        if (call?.kind === "answered") await placeOne(job, attempt, call.resume);
        if (call === undefined || (call.kind === "failed" && call.againMs <= performance.now())) {
          calls.set(key, { kind: "asking" });
          void ask(key, job, attempt);
        }
      }
    },
  };
}

/**
 * Records the attempt's span and gives back the context that its ranks continue. It is recorded now, from admission to
 * placement, and not at the attempt's end: a scheduler that dies in between would leave the ranks' spans without a parent.
 */
function recordAttemptSpan(job: Job, attempt: Attempt): string | undefined {
  const span = startSpan("scheduler", "attempt", {
    parent: job.traceparent,
    startTime: attempt.admittedAt,
    attributes: { "trainyard.job": job.id, "trainyard.run": job.runId, "trainyard.attempt": attempt.number },
  });
  const own = span.spanContext();
  span.end();
  return isSpanContextValid(own) ? traceparentOf(own) : job.traceparent;
}

function resumeFrom(checkpoint: tracking.Checkpoint): ResumePoint {
  return {
    checkpointId: checkpoint.id,
    step: Number(checkpoint.step),
    files: checkpoint.parts.flatMap(({ rank, files }) =>
      files.map(({ path, digest, sizeBytes }) => ({ rank, path, digest, sizeBytes: Number(sizeBytes) })),
    ),
  };
}
