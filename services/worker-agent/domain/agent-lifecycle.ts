/** Where an agent is in its own life, as it tells the scheduler. */
export type AgentLifecycle = "registering" | "ready" | "draining" | "drained" | "stopped";

/** The moves of an agent's life; whatever is not here never happens. */
export const lifecycleTransitions: Readonly<Record<AgentLifecycle, readonly AgentLifecycle[]>> = {
  // It has started, and was not told yet what to run; ranks of an earlier agent are watched already.
  registering: ["ready", "draining", "drained", "stopped"],
  // It follows its orders.
  ready: ["draining", "drained", "stopped"],
  // It is to become empty: an operator drains the node, or the process was told to end with TRAINYARD_ON_STOP=drain.
  draining: ["drained", "ready", "stopped"],
  // Nothing of any attempt is alive there; an operator may take the node into service again.
  drained: ["ready", "draining", "stopped"],
  stopped: [],
};

/** What an agent's place in its life follows from. */
export interface LifecycleFacts {
  /** Whether a desired state was applied since the start. */
  readonly told: boolean;
  /** Whether the scheduler drains the node. */
  readonly drainOrdered: boolean;
  /** Whether the process is ending and empties its node first. */
  readonly draining: boolean;
  /** Whether anything of an attempt is alive or unsaved. */
  readonly busy: boolean;
  /** Whether the process is about to be gone. */
  readonly stopped: boolean;
}

export function lifecycleOf(facts: LifecycleFacts): AgentLifecycle {
  if (facts.stopped) return "stopped";
  if (facts.draining || facts.drainOrdered) return facts.busy ? "draining" : "drained";
  return facts.told ? "ready" : "registering";
}
