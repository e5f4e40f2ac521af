import type { NonFinite, RankReport } from "./attempt.ts";
import type { StartMode } from "./job-spec.ts";

/** Version of the agent protocol that the scheduler speaks; agents of the one before are served too. */
export const AGENT_PROTOCOL_VERSION = 1;
/** The oldest agent protocol whose nodes still get ranks. */
export const OLDEST_AGENT_PROTOCOL_VERSION = 1;

/** Where a node's part of an attempt is, as its agent reports. */
export type PartPhase =
  | "preparing"
  | "starting"
  | "running"
  | "stopping"
  | "flushing"
  | "finalized"
  | "failed-to-start";

/** A node's part of an attempt, as its agent reports. */
export interface PartReport {
  readonly jobId: string;
  readonly attempt: number;
  readonly phase: PartPhase;
  readonly ranks: readonly RankReport[];
  readonly failureReason: string;
  readonly failureMessage: string;
  /** The end of what the failed step printed; absent when it printed nothing. */
  readonly failureTail?: string;
  /** How its ranks were started; absent before, and after a restart of the agent. */
  readonly start?: PartStart;
  /** The first watched metric that became NaN or infinite. */
  readonly nonFinite?: NonFinite;
  /** A rank has failed here, and survivors save with those of other nodes. */
  readonly handingOver?: boolean;
  /** A rank here has waited in a collective until it timed out. */
  readonly collectiveTimedOut?: boolean;
}

/** How the ranks of one node were started, with the reason where they could not be forked. */
export interface PartStart {
  readonly mode: StartMode;
  /** Empty for warm. */
  readonly coldReason: string;
}

/** Where an agent is in its own life. */
export type AgentLifecycle = "registering" | "ready" | "draining" | "drained" | "stopped";

/** A point in the sequence of desired states of a node. */
export interface Generation {
  /** Fencing token of the leader that wrote it. */
  readonly epoch: number;
  readonly generation: number;
}

/** One GPU as its driver tells; absent what the device does not tell. */
export interface Gpu {
  readonly index: number;
  /** "GPU-…": stays with the device. */
  readonly uuid: string;
  readonly model: string;
  readonly memoryBytes: number;
  readonly memoryUsedBytes?: number;
  readonly utilizationPercent?: number;
  readonly temperatureCelsius?: number;
  readonly powerWatts?: number;
  /** Uncorrected. */
  readonly eccErrors?: number;
  /** The newest error that the driver reported. */
  readonly fault?: { readonly code: number; readonly at: Date; readonly message: string };
}

/** What a machine is using; nothing is decided by it. */
export interface NodeUsage {
  readonly machine?: {
    readonly cpuPercent: number;
    readonly memoryAvailableBytes: number;
    readonly diskFreeBytes: number;
  };
  readonly gpus: readonly Gpu[];
  readonly gpuLinks: readonly { readonly first: number; readonly second: number; readonly kind: string }[];
}

/** A node's whole actual state. */
export interface Heartbeat {
  readonly protocolVersion: number;
  readonly nodeId: string;
  /** Differs after every start of the agent. */
  readonly agentInstance: string;
  /** Rises with every heartbeat of the instance. */
  readonly sequence: number;
  readonly agentVersion: string;
  readonly slots: number;
  readonly slotKind: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** The desired state last applied. */
  readonly applied: Generation;
  readonly parts: readonly PartReport[];
  readonly usage: NodeUsage;
  /** Absent from agents that do not tell. */
  readonly lifecycle?: AgentLifecycle;
  /** An agent that is ending stops its ranks by itself after so long; absent when it is not. */
  readonly drainWithinMs?: number;
}

/** Whether the agent had applied a desired state that is this one or newer. */
export function hasApplied(applied: Generation, wanted: Generation): boolean {
  return (
    applied.epoch > wanted.epoch ||
    (applied.epoch === wanted.epoch && applied.generation >= wanted.generation)
  );
}

/** Whether nothing of the part is alive or unsaved on its node any more. */
export function isPartOver(phase: PartPhase): boolean {
  return phase === "finalized" || phase === "failed-to-start";
}
