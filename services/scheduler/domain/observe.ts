/**
 * What the nodes' reports mean for an attempt: one step of its state machine, as a value. Called again until it says
 * nothing more, so that an attempt whose ranks started and ended between two looks still passes every state.
 */
import {
  type Attempt,
  type EndedPart,
  gangSize,
  type Hung,
  type NodeStart,
  type Placement,
  type StopCause,
  type Yielding,
} from "./attempt.ts";
import type { Job } from "./job.ts";
import { liveAttempt } from "./job.ts";
import { hasFailed, newlyEnded, nonFiniteOf, type PartView, ranksOf } from "./part-view.ts";
import { isSameSlowness, type Slowness } from "./slowness.ts";

/** The next step of an attempt. Each may also record parts that are over. */
export type Transition =
  | { readonly kind: "parts-ended"; readonly parts: readonly EndedPart[] }
  | {
      readonly kind: "started";
      readonly parts: readonly EndedPart[];
      readonly ranksStartedAt: Date;
      readonly firstStepAt?: Date;
      readonly starts: readonly NodeStart[];
    }
  | { readonly kind: "first-step"; readonly parts: readonly EndedPart[]; readonly firstStepAt: Date }
  | {
      readonly kind: "stop";
      readonly parts: readonly EndedPart[];
      readonly cause: StopCause;
      readonly hung?: Hung;
    }
  | { readonly kind: "yield"; readonly parts: readonly EndedPart[]; readonly yielding: Yielding }
  | { readonly kind: "idle"; readonly parts: readonly EndedPart[]; readonly idleSince: Date | undefined }
  | {
      readonly kind: "slowness";
      readonly parts: readonly EndedPart[];
      readonly slowness: Slowness | undefined;
    }
  | { readonly kind: "end"; readonly parts: readonly EndedPart[] };

/** What was found out about a gang beside its parts' reports. */
export interface Findings {
  /** It is to give way. */
  readonly giveWay?: Yielding;
  /** It makes no step, and its stacks were taken. */
  readonly hung?: Hung;
  /** Ranks are being asked where they are, which they can tell only before they are ended. */
  readonly asking?: boolean;
  /** Since when it does nothing, as long as its policy allows and longer. */
  readonly idleSince?: Date;
  /** Which ranks hold it up. */
  readonly slowness?: Slowness;
}

/** The next step of the job's live attempt by its parts' views (one per placement); `undefined` when nothing changes. */
export function observe(
  job: Job,
  views: ReadonlyMap<string, PartView>,
  now: Date,
  findings: Findings = {},
): Transition | undefined {
  const attempt = liveAttempt(job);
  if (attempt === undefined) return undefined;
  const parts = newlyEnded(attempt, views);
  const step = nextStep(job, attempt, views, now, findings);
  if (step !== undefined) return { ...step, parts };
  return parts.length > 0 ? { kind: "parts-ended", parts } : undefined;
}

type Step = Transition extends infer T ? (T extends Transition ? Omit<T, "parts"> : never) : never;

function nextStep(
  job: Job,
  attempt: Attempt,
  views: ReadonlyMap<string, PartView>,
  now: Date,
  findings: Findings,
): Step | undefined {
  switch (attempt.state) {
    case "opening":
      // Nobody was told of it, so there is nothing to stop.
      return job.cancel === undefined ? undefined : { kind: "end" };
    case "placed":
      return (
        startedStep(attempt, views) ??
        stopStep(job, attempt, views, now, findings) ??
        giveWayStep(attempt, views, now, findings) ??
        idleStep(attempt, findings)
      );
    case "running":
      return (
        stopStep(job, attempt, views, now, findings) ??
        endStep(views) ??
        firstStepStep(attempt, views) ??
        hungStep(findings) ??
        giveWayStep(attempt, views, now, findings) ??
        idleStep(attempt, findings) ??
        slownessStep(attempt, findings)
      );
    case "stopping":
      return endStep(views);
    case "ended":
      return undefined;
  }
}

function startedStep(attempt: Attempt, views: ReadonlyMap<string, PartView>): Step | undefined {
  const started = [...views.values()]
    .flatMap(ranksOf)
    .flatMap(({ startedAt, exit }) => startedAt ?? exit?.at ?? []);
  if (started.length < gangSize(attempt)) return undefined;
  const ranksStartedAt = new Date(Math.max(...started.map((at) => at.getTime())));
  const firstStepAt = earliestFirstStep(views);
  const starts = [...views].flatMap(([nodeId, view]) =>
    view.kind === "unheard" || view.start === undefined ? [] : [{ nodeId, ...view.start }],
  );
  return { kind: "started", ranksStartedAt, starts, ...(firstStepAt === undefined ? {} : { firstStepAt }) };
}

function stopStep(
  job: Job,
  attempt: Attempt,
  views: ReadonlyMap<string, PartView>,
  now: Date,
  { asking = false }: Findings,
): Step | undefined {
  if (job.cancel !== undefined) return { kind: "stop", cause: "cancel" };
  if ([...views.values()].some((view) => nonFiniteOf(view) !== undefined)) {
    return { kind: "stop", cause: "non-finite" };
  }
  if (!asking && attempt.placements.some((placement) => isBroken(placement, views.get(placement.nodeId)))) {
    return { kind: "stop", cause: "failure" };
  }
  const limitMs = job.spec.timeoutSeconds * 1000;
  return limitMs > 0 && ranMs(job, attempt, now) > limitMs ? { kind: "stop", cause: "timeout" } : undefined;
}

function hungStep({ hung }: Findings): Step | undefined {
  return hung === undefined ? undefined : { kind: "stop", cause: "hung", hung };
}

/** Asks the gang to give way, and stops it when its checkpoint is stored or its time is up. */
function giveWayStep(
  attempt: Attempt,
  views: ReadonlyMap<string, PartView>,
  now: Date,
  { giveWay }: Findings,
): Step | undefined {
  const { yielding } = attempt;
  if (yielding === undefined) return giveWay === undefined ? undefined : { kind: "yield", yielding: giveWay };
  if (giveWay !== undefined && giveWay.cause !== yielding.cause && yielding.cause === "grow") {
    // More urgent than what it was asked for. The step stays: ranks may be on their way to it.
    return { kind: "yield", yielding: { ...giveWay, checkpointStep: yielding.checkpointStep } };
  }
  const isStored = isCheckpointed(attempt, views, yielding);
  // Growing is worth no lost step. Nothing is due any more when the reason is gone: an uncordoned node, slots that were taken.
  const isDue = isStored || (yielding.cause !== "grow" && now >= yielding.deadlineAt);
  return isDue && giveWay !== undefined ? { kind: "stop", cause: "yield" } : undefined;
}

/** Whether tracking has the parts of every rank of a checkpoint at the step that was asked for, or of a later one. */
function isCheckpointed(
  attempt: Attempt,
  views: ReadonlyMap<string, PartView>,
  { checkpointStep }: Yielding,
): boolean {
  if (checkpointStep < 0) return false;
  const stored = [...views.values()]
    .flatMap(ranksOf)
    .filter((rank) => rank.checkpointStep !== undefined && rank.checkpointStep >= checkpointStep);
  return stored.length === gangSize(attempt);
}

function idleStep({ idleSince: known }: Attempt, { idleSince }: Findings): Step | undefined {
  return known?.getTime() === idleSince?.getTime() ? undefined : { kind: "idle", idleSince };
}

function slownessStep({ slowness: known }: Attempt, { slowness }: Findings): Step | undefined {
  return isSameSlowness(known, slowness) ? undefined : { kind: "slowness", slowness };
}

/** Whether the gang cannot succeed any more because of this part: a rank of it failed, or it is over without a rank's exit. */
function isBroken(placement: Placement, view: PartView | undefined): boolean {
  if (view === undefined) return false;
  const ranks = ranksOf(view);
  if (ranks.some(hasFailed)) return true;
  // Its survivors wait for those of nodes that no collective tells of it.
  if (view.kind === "alive" && view.handingOver === true) return true;
  if (view.kind !== "over") return false;
  return placement.ranks.some((rank) => !ranks.some((each) => each.rank === rank && each.exit !== undefined));
}

function endStep(views: ReadonlyMap<string, PartView>): Step | undefined {
  return [...views.values()].every((view) => view.kind === "over") ? { kind: "end" } : undefined;
}

function firstStepStep(attempt: Attempt, views: ReadonlyMap<string, PartView>): Step | undefined {
  if (attempt.firstStepAt !== undefined) return undefined;
  const firstStepAt = earliestFirstStep(views);
  return firstStepAt === undefined ? undefined : { kind: "first-step", firstStepAt };
}

function earliestFirstStep(views: ReadonlyMap<string, PartView>): Date | undefined {
  const times = [...views.values()]
    .flatMap(ranksOf)
    .flatMap(({ firstStepAt }) => firstStepAt?.getTime() ?? []);
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

/** How long the job's ranks have run, over all attempts. */
function ranMs(job: Job, live: Attempt, now: Date): number {
  const spans = job.attempts.map(({ number, ranksStartedAt, endedAt }) => {
    if (ranksStartedAt === undefined) return 0;
    const until = number === live.number ? now : (endedAt ?? now);
    return Math.max(0, until.getTime() - ranksStartedAt.getTime());
  });
  return spans.reduce((sum, span) => sum + span, 0);
}
