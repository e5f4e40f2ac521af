/** Whether, and by when, a gang is to give way. */
import type { Attempt, Yielding } from "./attempt.ts";
import { idlePolicyOf, type JobSpec } from "./job-spec.ts";
import type { Node } from "./node.ts";

/** How long an idle gang may take to checkpoint before its slots are released. */
const IDLE_CHECKPOINT_MS = 60_000;
/** A gang that is to grow is never stopped without its checkpoint; this only says when asking has been in vain. */
const GROW_CHECKPOINT_MS = 600_000;

/** What a gang may have to give way to. */
export interface Reasons {
  /** The nodes of its placements, as far as known. */
  readonly nodes: readonly Pick<Node, "id" | "duty">[];
  /** Ranks it would have if it started again now; `undefined` when it is not to grow. */
  readonly growTo: number | undefined;
  readonly idleSince: Date | undefined;
  /** A step ahead of every rank; -1 when the gang tells none. */
  readonly stepAhead: number;
}

/** The most urgent reason, if there is one. */
export function whyGiveWay(
  spec: Pick<JobSpec, "ranks" | "idle">,
  attempt: Attempt,
  reasons: Reasons,
  now: Date,
): Yielding | undefined {
  const { stepAhead: checkpointStep, idleSince, growTo } = reasons;
  const asked = { checkpointStep, askedAt: now };
  const drained = reasons.nodes.find(({ duty }) => duty?.state === "draining");
  if (drained?.duty !== undefined) {
    const { by, reason, deadlineAt = now } = drained.duty;
    const why = `Node ${drained.id} is being drained by ${by}${reason === "" ? "" : ` (${reason})`}.`;
    // Who tells no steps cannot be asked for a checkpoint, so nothing is gained by waiting.
    return { ...asked, cause: "drain", why, deadlineAt: checkpointStep < 0 ? now : deadlineAt };
  }
  const idle = idlePolicyOf(spec);
  if (idleSince !== undefined && idle.action !== "warn") {
    const why = `The gang did nothing since ${idleSince.toISOString()}, and its policy releases the slots after ${idle.afterSeconds} s.`;
    const waitMs = idle.action === "checkpoint" && checkpointStep >= 0 ? IDLE_CHECKPOINT_MS : 0;
    return { ...asked, cause: "idle", why, deadlineAt: new Date(now.getTime() + waitMs) };
  }
  if (growTo === undefined || checkpointStep < 0 || attempt.state !== "running") return undefined;
  const why = `Slots are free: the gang starts again with ${growTo} ranks, of at most ${spec.ranks}.`;
  return { ...asked, cause: "grow", why, deadlineAt: new Date(now.getTime() + GROW_CHECKPOINT_MS) };
}
