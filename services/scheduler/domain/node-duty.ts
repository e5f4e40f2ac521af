/**
 * What a node is wanted for: by an operator's order (`trainyard nodes cordon|uncordon|drain`), or by its own agent that is
 * ending. An operator's order outlives the agent; an agent's own drain ends when the next agent is there.
 */
import type { AgentLifecycle } from "./heartbeat.ts";

/** The states of a node's duty. */
export type DutyState = "open" | "cordoned" | "draining" | "drained";

/** The moves of a node's duty; whatever is not here never happens. */
export const dutyTransitions: Readonly<Record<DutyState, readonly DutyState[]>> = {
  open: ["cordoned", "draining"],
  cordoned: ["open", "draining"],
  // Drained: nothing of any attempt is alive there.
  draining: ["open", "cordoned", "drained"],
  // Cordoned and drained keep new work away alike, so a cordon changes nothing; draining it again begins anew.
  drained: ["open", "draining"],
};

/** What a node is wanted for, and who says so. */
export interface NodeDuty {
  readonly state: DutyState;
  /** "user:ada", or "agent:<node>". */
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
  /** While draining: when what still runs is stopped. */
  readonly deadlineAt?: Date;
  /** The newest order that was taken; 0 when none ever was. */
  readonly orderRevision: number;
}

/** An operator's order, the newest of its node. */
export interface NodeOrder {
  readonly nodeId: string;
  readonly wish: "open" | "cordoned" | "drained";
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
  /** How long gangs may take to checkpoint; only with "drained". */
  readonly drainMs: number;
  /** Rises with every order of the node. */
  readonly revision: number;
}

/** What is known of a node when its duty is looked at. */
export interface DutyFacts {
  readonly nodeId: string;
  readonly order: NodeOrder | undefined;
  readonly lifecycle: AgentLifecycle | undefined;
  /** An agent that is ending stops its ranks by itself after so long. */
  readonly drainWithinMs: number | undefined;
  /** Whether anything of any attempt may be alive there. */
  readonly busy: boolean;
}

/** A node that nobody ever ordered anything. */
export function openDuty(at: Date): NodeDuty {
  return { state: "open", by: "", reason: "", at, orderRevision: 0 };
}

/** The duty after what is known now; the same value when nothing changes. */
export function nextDuty(duty: NodeDuty, facts: DutyFacts, now: Date): NodeDuty {
  const ordered = afterOrder(duty, facts.order, now);
  const own = afterAgent(ordered, facts, now);
  return own.state === "draining" && !facts.busy ? move(own, "drained") : own;
}

function afterOrder(duty: NodeDuty, order: NodeOrder | undefined, now: Date): NodeDuty {
  if (order === undefined || order.revision <= duty.orderRevision) return duty;
  const { by, reason, at, revision: orderRevision } = order;
  const wanted = order.wish === "drained" ? "draining" : order.wish;
  const taken = { ...duty, orderRevision };
  if (wanted === duty.state && wanted !== "draining") return { ...taken, by, reason };
  if (wanted === "cordoned" && duty.state === "drained") return { ...taken, by, reason };
  const deadline = wanted === "draining" ? { deadlineAt: new Date(now.getTime() + order.drainMs) } : {};
  return { state: wanted, by, reason, at, orderRevision, ...deadline };
}

/** An agent that is told to end drains its node by itself; when the next one is there, the node takes work again. */
function afterAgent(duty: NodeDuty, { nodeId, lifecycle, drainWithinMs }: DutyFacts, now: Date): NodeDuty {
  const self = `agent:${nodeId}`;
  if (drainWithinMs !== undefined && duty.state !== "draining" && duty.state !== "drained") {
    return {
      state: "draining",
      by: self,
      reason: "the agent is ending",
      at: now,
      deadlineAt: new Date(now.getTime() + drainWithinMs),
      orderRevision: duty.orderRevision,
    };
  }
  const isBack = lifecycle === "registering" || lifecycle === "ready";
  if (!isBack || duty.by !== self || drainWithinMs !== undefined || duty.state === "open") return duty;
  return { ...openDuty(now), by: self, orderRevision: duty.orderRevision };
}

function move(duty: NodeDuty, state: DutyState): NodeDuty {
  const { deadlineAt: _passed, ...rest } = duty;
  return { ...rest, state };
}
