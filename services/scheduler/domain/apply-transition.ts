import { afterAttempt, type Verdict } from "./after-attempt.ts";
import type { Attempt, EndedPart } from "./attempt.ts";
import { assertAttemptTransition } from "./attempt-state.ts";
import { both, type Change } from "./change.ts";
import { collectiveTraits, mostTelling } from "./collective-timeout.ts";
import { type Job, withLiveAttempt } from "./job.ts";
import { advance, change, endJob, requireLive } from "./job-changes.ts";
import type { Transition } from "./observe.ts";
import { hasFailed } from "./part-view.ts";
import { byBlame, missedItsPeers } from "./root-cause.ts";
import { newlySlow, type Slowness } from "./slowness.ts";

/** The job after one step of its live attempt, with what follows from the attempt's end. */
export function applyTransition(job: Job, transition: Transition, now: Date): Change {
  const live = requireLive(job);
  const attempt = {
    ...live,
    endedParts: [...live.endedParts, ...transition.parts.map(trimPart)].sort(byNode),
  };
  switch (transition.kind) {
    case "parts-ended":
      return change(job, withLiveAttempt(advance(job, job.state), attempt));
    case "first-step":
      return change(
        job,
        withLiveAttempt(advance(job, job.state), { ...attempt, firstStepAt: transition.firstStepAt }),
      );
    case "started":
      return start(job, attempt, transition);
    case "stop":
      assertAttemptTransition(attempt.state, "stopping");
      return stop(job, attempt, transition);
    case "yield": {
      const yielding: Attempt = { ...attempt, yielding: transition.yielding };
      const asked = withLiveAttempt(advance(job, job.state), yielding);
      return change(job, asked, [{ kind: "attempt-yielding", job: asked, attempt: yielding }]);
    }
    case "idle":
      return idle(job, attempt, transition.idleSince);
    case "slowness":
      return slowed(job, attempt, transition.slowness);
    case "end":
      return end(job, attempt, now);
  }
}

/**
 * Keeps one traceback of a part, that of the rank that is most to blame: with thousands of ranks a job would outgrow its
 * document. Of the others it stays known whether they only missed their peers, and how a collective of theirs ended.
 */
function trimPart({ nodeId, outcome }: EndedPart): EndedPart {
  if (outcome.kind !== "finalized") return { nodeId, outcome };
  const first = mostTelling(outcome.ranks.filter(hasFailed).sort(byBlame));
  const ranks = outcome.ranks.map((rank) => {
    if (rank === first || rank.exit === undefined) return rank;
    const missedPeers = missedItsPeers(rank.exit) ? { missedPeers: true } : {};
    return {
      ...rank,
      exit: { ...rank.exit, tracebackTail: "", ...missedPeers, ...collectiveTraits(rank.exit) },
    };
  });
  return { nodeId, outcome: { ...outcome, ranks } };
}

function stop(job: Job, attempt: Attempt, { cause, hung }: Extract<Transition, { kind: "stop" }>): Change {
  assertAttemptTransition(attempt.state, "stopping");
  const stopping: Attempt = {
    ...attempt,
    state: "stopping",
    stopCause: cause,
    ...(hung === undefined ? {} : { hung }),
  };
  const moved = withLiveAttempt(advance(job, job.state), stopping);
  return change(
    job,
    moved,
    hung === undefined ? [] : [{ kind: "hung", job: moved, attempt: stopping, hung }],
  );
}

/** The gang has become idle, as long as its policy allows, or works again. */
function idle(job: Job, attempt: Attempt, idleSince: Date | undefined): Change {
  const { idleSince: _before, ...rest } = attempt;
  if (idleSince === undefined) return change(job, withLiveAttempt(advance(job, job.state), rest));
  const idling: Attempt = { ...rest, idleSince };
  const moved = withLiveAttempt(advance(job, job.state), idling);
  return change(job, moved, [{ kind: "idle", job: moved, attempt: idling, idleSince }]);
}

/** Other ranks hold the gang up than before, or none does any more; only what is new is told. */
function slowed(job: Job, attempt: Attempt, slowness: Slowness | undefined): Change {
  const { slowness: before, ...rest } = attempt;
  const now: Attempt = slowness === undefined ? rest : { ...rest, slowness };
  const moved = withLiveAttempt(advance(job, job.state), now);
  const news = slowness === undefined ? undefined : newlySlow(before, slowness);
  const isNews = news !== undefined && news.stragglers.length + news.dataStalls.length > 0;
  return change(job, moved, isNews ? [{ kind: "attempt-slowed", job: moved, attempt: now, news }] : []);
}

function byNode(a: EndedPart, b: EndedPart): number {
  return a.nodeId < b.nodeId ? -1 : 1;
}

function start(
  job: Job,
  attempt: Attempt,
  { ranksStartedAt, firstStepAt, starts }: Extract<Transition, { kind: "started" }>,
): Change {
  assertAttemptTransition(attempt.state, "running");
  const running: Attempt = {
    ...attempt,
    state: "running",
    ranksStartedAt,
    ...(starts.length === 0 ? {} : { starts }),
    ...(firstStepAt === undefined ? {} : { firstStepAt }),
  };
  // A job that is being cancelled stays so: its attempt passes through "running" on the way to its stop.
  const state = job.state === "starting" ? "running" : job.state;
  const moved = withLiveAttempt(advance(job, state), running);
  const started: Job = { ...moved, startedAt: job.startedAt ?? ranksStartedAt };
  return change(job, started, [{ kind: "attempt-started", job: started, attempt: running }]);
}

function end(job: Job, attempt: Attempt, now: Date): Change {
  assertAttemptTransition(attempt.state, "ended");
  const verdict = afterAttempt(job, attempt);
  const { resume } = attempt;
  // What the verdict was made from is not needed any more, nor are the checkpoint's files.
  const ended: Attempt = {
    ...attempt,
    state: "ended",
    endedAt: now,
    endedParts: [],
    ...(resume === undefined ? {} : { resume: { ...resume, files: [] } }),
    ...("failure" in verdict ? { failure: verdict.failure } : {}),
  };
  const willRetry = verdict.kind === "retry";
  const moved = withLiveAttempt(willRetry ? requeue(job, verdict, now) : advance(job, job.state), ended);
  const first = change(job, moved, [{ kind: "attempt-ended", job: moved, attempt: ended, willRetry }]);
  if (willRetry) return first;
  const final = conclude(moved, verdict, now);
  return both(first, change(moved, final, [{ kind: "ended", job: final }]));
}

function requeue(job: Job, verdict: Extract<Verdict, { kind: "retry" }>, now: Date): Job {
  const { failure, afterMs, retriesUsed } = verdict;
  const notBefore = new Date(now.getTime() + afterMs);
  return { ...advance(job, "queued"), failure, retriesUsed, notBefore };
}

function conclude(job: Job, verdict: Exclude<Verdict, { kind: "retry" }>, now: Date): Job {
  switch (verdict.kind) {
    case "succeed":
      return endJob(job, "succeeded", now);
    case "cancelled":
      return endJob(job, "cancelled", now);
    case "fail":
      return endJob(job, "failed", now, verdict.failure);
  }
}
