import type { Attempt, Hung, Yielding } from "../domain/attempt.ts";
import { whyGiveWay } from "../domain/give-way.ts";
import { type Idleness, idlenessAfter } from "../domain/idleness.ts";
import { type Job, liveAttempt } from "../domain/job.ts";
import { idlePolicyOf } from "../domain/job-spec.ts";
import { attemptKey } from "../domain/node-usable.ts";
import type { Findings } from "../domain/observe.ts";
import { hangLimitMs, type Pace, paceAfter, stepAhead } from "../domain/pace.ts";
import { notWaitedOn, type PartView, ranksOf } from "../domain/part-view.ts";
import { type SlowWatch, slownessOf, slowWatchAfter, slowWatchOf } from "../domain/slowness.ts";
import { stuckRank } from "../domain/stuck-rank.ts";
import { LEADER_TOPIC } from "../wake.ts";
import type { ActiveJobs } from "./active-jobs.ts";
import type { KeptNodes } from "./keep-nodes.ts";
import type { Term } from "./term.ts";

/** How long a gang that has failed may be kept from its end until ranks have told where they are: its survivors wait for 5 s. */
const ASK_WITHIN_MS = 2_000;
const WAITED_IN_VAIN =
  "trainyard: a rank on another node has waited in vain in a collective; where this rank is:";

/** Watches what the running gangs do over time, which no single report tells. */
export interface GangWatch {
  /** Forgets the attempts that are over, and takes which job may grow now. */
  round(grow: { readonly jobId: string; readonly ranks: number } | undefined): void;
  /** What is found out about a job's live attempt by its parts' views now. */
  findings(job: Job, attempt: Attempt, views: ReadonlyMap<string, PartView>, now: Date): Findings;
}

interface Watched {
  pace: Pace | undefined;
  idleness: Idleness | undefined;
  hung: "asking" | Hung | undefined;
  /** Until when its end waits for where its ranks are; set once, when a collective has timed out. */
  askedUntilMs: number | undefined;
  slow: SlowWatch;
}

/** The watch of a term: a new leader begins it anew, so a gang is suspected later rather than wrongly. */
export function createGangWatch(term: Term, jobs: ActiveJobs, nodes: KeptNodes): GangWatch {
  const watched = new Map<string, Watched>();
  let growing: { readonly jobId: string; readonly ranks: number } | undefined;

  /** Takes the stacks of a gang that makes no step, once; what came of it is found in the next round. */
  async function askStacks(gang: Watched, job: Job, attempt: Attempt, pace: Pace, limitMs: number) {
    gang.hung = "asking";
    const { lastStep: step, silentMs } = pace;
    const logAs = `trainyard: no step for ${Math.round(silentMs / 1000)} s after step ${step}; where this rank is:`;
    const stacks = await term.stacks.capture(job, attempt, { logAs, signal: term.grant.signal });
    const rank = stuckRank(stacks);
    const stack = (stacks.find((one) => one.rank === rank) ?? stacks[0])?.text ?? "";
    gang.hung = { rank, step, silentMs, limitMs, stack };
    term.logger.warn(
      { job: job.id, attempt: attempt.number, rank, step, silentMs, limitMs },
      "the gang hangs",
    );
    term.wake.raise(LEADER_TOPIC);
  }

  function hungOf(gang: Watched, job: Job, attempt: Attempt): Hung | undefined {
    const { pace, hung } = gang;
    if (pace === undefined || attempt.state !== "running") return undefined;
    const limitMs = hangLimitMs(pace, job.spec.hang);
    if (limitMs === undefined || pace.silentMs < limitMs) {
      // It went on while its stacks were taken.
      if (hung !== "asking") gang.hung = undefined;
      return undefined;
    }
    if (hung === undefined) {
      askStacks(gang, job, attempt, pace, limitMs).catch((error: unknown) => {
        gang.hung = undefined;
        if (!term.grant.signal.aborted)
          term.logger.error({ err: error, job: job.id }, "no stacks were taken");
      });
    }
    return hung === undefined || hung === "asking" ? undefined : hung;
  }

  /** Says whether ranks of other nodes than those that waited in vain are being asked where they are. */
  function asksWhoStayedAway(
    gang: Watched,
    job: Job,
    attempt: Attempt,
    views: ReadonlyMap<string, PartView>,
  ): boolean {
    const placements = notWaitedOn(attempt, views);
    const nowMs = performance.now();
    if (placements.length > 0 && gang.askedUntilMs === undefined) {
      gang.askedUntilMs = nowMs + ASK_WITHIN_MS;
      const options = { logAs: WAITED_IN_VAIN, signal: term.grant.signal };
      void term.stacks
        .capture(job, { number: attempt.number, placements }, options)
        .catch((error: unknown) => term.logger.warn({ err: error, job: job.id }, "no stacks were taken"))
        .finally(() => {
          gang.askedUntilMs = 0;
          term.wake.raise(LEADER_TOPIC);
        });
    }
    return nowMs < (gang.askedUntilMs ?? 0);
  }

  function giveWay(gang: Watched, job: Job, attempt: Attempt, idleSince: Date | undefined, now: Date) {
    const reasons = {
      nodes: attempt.placements.flatMap(({ nodeId }) => nodes.get(nodeId) ?? []),
      growTo: growing?.jobId === job.id ? growing.ranks : undefined,
      idleSince,
      stepAhead: stepAhead(gang.pace, performance.now()),
    };
    return whyGiveWay(job.spec, attempt, reasons, now);
  }

  function slownessNow(gang: Watched, views: ReadonlyMap<string, PartView>, nowMs: number, now: Date) {
    const ranks = [...views].flatMap(([nodeId, view]) => ranksOf(view).map((rank) => ({ ...rank, nodeId })));
    gang.slow = slowWatchAfter(gang.slow, { ranks, nowMs, now, afterMs: term.config.slowAfterMs });
    return slownessOf(gang.slow);
  }

  return {
    round(grow) {
      growing = grow;
      const live = new Set(
        jobs.list().flatMap((job) => {
          const attempt = liveAttempt(job);
          return attempt === undefined ? [] : [attemptKey(job.id, attempt.number)];
        }),
      );
      for (const key of [...watched.keys()]) if (!live.has(key)) watched.delete(key);
    },
    findings(job, attempt, views, now) {
      const key = attemptKey(job.id, attempt.number);
      const gang = watched.get(key) ?? {
        pace: undefined,
        idleness: undefined,
        hung: undefined,
        askedUntilMs: undefined,
        slow: slowWatchOf(attempt.slowness, performance.now()),
      };
      watched.set(key, gang);
      const ranks = [...views.values()].flatMap(ranksOf);
      const heard = attempt.placements.every(({ nodeId }) => nodes.get(nodeId)?.state === "ready");
      const nowMs = performance.now();
      const counts = heard && ranks.every(({ phase }) => phase === undefined);
      gang.pace = paceAfter(gang.pace, ranks, counts, nowMs);
      gang.idleness = idlenessAfter(gang.idleness, ranks, heard, nowMs, now);
      const idleSince = idleLongEnough(job, gang.idleness, nowMs);
      const hung = hungOf(gang, job, attempt);
      // A new leader has not heard of the ranks yet, and what it does not hear is no sign that they are quick.
      const told = heard && [...views.values()].every(({ kind }) => kind !== "unheard");
      const slowness = told ? slownessNow(gang, views, nowMs, now) : attempt.slowness;
      const yielding: Yielding | undefined = giveWay(gang, job, attempt, idleSince, now);
      return {
        ...(hung === undefined ? {} : { hung }),
        ...(asksWhoStayedAway(gang, job, attempt, views) ? { asking: true } : {}),
        ...(idleSince === undefined ? {} : { idleSince }),
        ...(slowness === undefined ? {} : { slowness }),
        ...(yielding === undefined ? {} : { giveWay: yielding }),
      };
    },
  };
}

function idleLongEnough(job: Job, { idleFromMs, idleSince }: Idleness, nowMs: number): Date | undefined {
  const { afterSeconds } = idlePolicyOf(job.spec);
  return afterSeconds > 0 && nowMs - idleFromMs >= afterSeconds * 1000 ? idleSince : undefined;
}
