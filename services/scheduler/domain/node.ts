import type { NodeCooldown } from "./node-cooldown.ts";
import type { NodeDuty } from "./node-duty.ts";
import type { SeveredFrom } from "./severed-pairs.ts";

/** What the scheduler believes of a node. */
export type NodeState = "ready" | "suspect" | "lost";

/** An attempt that was ended without this node's word: until the agent confirms it dead, nothing new is placed there. */
export interface Unreaped {
  readonly jobId: string;
  readonly runId: string;
  readonly project: string;
  readonly attempt: number;
}

/** A machine with an agent, as it is stored. */
export interface Node {
  readonly id: string;
  readonly project: string;
  readonly state: NodeState;
  readonly slots: number;
  readonly slotKind: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
  readonly protocolVersion: number;
  readonly address: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly unreaped: readonly Unreaped[];
  /** Open when absent. */
  readonly duty?: NodeDuty;
  /** Failures of jobs that were its own; absent when there are none. */
  readonly cooldown?: NodeCooldown;
  /** Nodes that its ranks could not reach; absent when there are none. */
  readonly severed?: readonly SeveredFrom[];
  readonly version: number;
  /** By the scheduler's clock; up to a few seconds old while heartbeats arrive. */
  readonly lastHeartbeatAt: Date;
  readonly createdAt: Date;
}

/** How long a node may be silent. */
export interface SilenceLimits {
  readonly suspectAfterMs: number;
  readonly lostAfterMs: number;
}

/**
 * What to believe of a node that has been silent for so long. `silence` is undefined when it cannot be told; then
 * nothing changes, except that a heartbeat (`heard`) always brings a node back.
 */
export function nodeStateAfter(
  state: NodeState,
  heard: boolean,
  silence: number | undefined,
  limits: SilenceLimits,
): NodeState {
  if (state === "lost" && !heard) return "lost";
  if (silence === undefined) return state === "lost" ? "ready" : state;
  if (silence >= limits.lostAfterMs) return "lost";
  return silence >= limits.suspectAfterMs ? "suspect" : "ready";
}
