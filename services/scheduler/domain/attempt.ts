import type { AttemptState } from "./attempt-state.ts";
import type { Failure } from "./failure.ts";
import type { PartStart } from "./heartbeat.ts";

/** Some ranks of an attempt on one node. */
export interface Placement {
  readonly nodeId: string;
  /** Ascending. */
  readonly ranks: readonly number[];
  /** Slot indices of the node, `slotsPerRank` for each rank in turn. */
  readonly slots: readonly number[];
}

/** How a rank ended. */
export interface RankExit {
  /** 0 when a signal killed it. */
  readonly code: number;
  /** 0 when it exited. */
  readonly signal: number;
  readonly at: Date;
  /** 1 for the first rank of its node that ended. */
  readonly order: number;
  readonly tracebackTail: string;
}

/** One rank as its node reports it. */
export interface RankReport {
  readonly rank: number;
  readonly startedAt?: Date;
  readonly firstStepAt?: Date;
  /** -1 when none. */
  readonly lastStep: number;
  readonly exit?: RankExit;
}

/**
 * How one node's part of an attempt ended. `finalized`: the agent confirmed every rank dead and everything stored.
 * `failed-to-start`: no rank was started. `gone`: the agent follows our orders and has nothing of the attempt.
 * `lost`: the node was declared lost.
 */
export type PartOutcome =
  | { readonly kind: "finalized"; readonly ranks: readonly RankReport[] }
  | {
      readonly kind: "failed-to-start";
      readonly reason: string;
      readonly message: string;
      readonly tail?: string;
    }
  | { readonly kind: "gone" }
  | { readonly kind: "lost" };

/** A node's part of an attempt, once it is over. Kept, because its report ends when the agent has cleaned up. */
export interface EndedPart {
  readonly nodeId: string;
  readonly outcome: PartOutcome;
}

/** A file of the checkpoint to resume from. */
export interface ResumeFile {
  readonly rank: number;
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** The committed checkpoint that an attempt begins at. */
export interface ResumePoint {
  readonly checkpointId: string;
  readonly step: number;
  readonly files: readonly ResumeFile[];
}

/** How the ranks of one node were started. */
export interface NodeStart extends PartStart {
  readonly nodeId: string;
}

/** Why an attempt is being stopped. */
export type StopCause = "failure" | "cancel" | "timeout";

/** One launch of a job's gang. */
export interface Attempt {
  /** From 1; the fencing token of everything it writes. */
  readonly number: number;
  readonly state: AttemptState;
  readonly placements: readonly Placement[];
  readonly admittedAt: Date;
  /** Absent before tracking was told, and when it begins at step 0. */
  readonly resume?: ResumePoint;
  /** W3C trace context that its ranks continue. */
  readonly traceparent?: string;
  readonly ranksStartedAt?: Date;
  /** How the ranks of each node that has told were started. */
  readonly starts?: readonly NodeStart[];
  readonly firstStepAt?: Date;
  readonly stopCause?: StopCause;
  /** The parts that are over, by node. */
  readonly endedParts: readonly EndedPart[];
  readonly endedAt?: Date;
  readonly failure?: Failure;
}
