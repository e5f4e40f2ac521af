import type { AttemptState } from "./attempt-state.ts";
import type { Failure } from "./failure.ts";
import type { PartStart } from "./heartbeat.ts";
import type { Slowness } from "./slowness.ts";

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
  /** The kernel killed it because its memory was used up. */
  readonly outOfMemory?: boolean;
  /** It said that a peer was gone; kept where its traceback is not. */
  readonly missedPeers?: boolean;
  /** What it said of a collective that timed out; kept where its traceback is not. */
  readonly waitedInVain?: string;
  /** Its stack showed it outside a collective when another rank's timed out; kept where the stack is not. */
  readonly wasElsewhere?: boolean;
}

/** One rank as its node reports it. */
export interface RankReport {
  readonly rank: number;
  readonly startedAt?: Date;
  readonly firstStepAt?: Date;
  /** -1 when none. */
  readonly lastStep: number;
  readonly exit?: RankExit;
  /** What it uses of one core or of its GPUs, whichever is more; absent when it is not told. */
  readonly busyPercent?: number;
  /** What it does besides training steps; absent while it trains. */
  readonly phase?: string;
  /** Step of the newest checkpoint part that tracking has taken. */
  readonly checkpointStep?: number;
  /** Where its steps spend their time; absent when it does not tell. */
  readonly timing?: StepTiming;
}

/** Seconds of one step of a rank, as means over about a second. */
export interface StepTiming {
  readonly seconds: number;
  readonly dataSeconds: number;
  readonly computeSeconds: number;
  readonly communicationSeconds: number;
  readonly checkpointSeconds: number;
}

/**
 * How one node's part of an attempt ended. `finalized`: the agent confirmed every rank dead and everything stored.
 * `failed-to-start`: no rank was started. `gone`: the agent follows our orders and has nothing of the attempt.
 * `lost`: the node was declared lost.
 */
export type PartOutcome =
  | { readonly kind: "finalized"; readonly ranks: readonly RankReport[]; readonly nonFinite?: NonFinite }
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
export type StopCause = "failure" | "cancel" | "timeout" | "non-finite" | "hung" | "yield";

/** Why a gang is asked to give way. */
export type YieldCause = "drain" | "grow" | "idle";

/** A gang's way from being asked to checkpoint to being stopped. */
export interface Yielding {
  readonly cause: YieldCause;
  /** The step at which the ranks are asked to checkpoint; -1 when they are not asked. */
  readonly checkpointStep: number;
  readonly askedAt: Date;
  /** When the gang is stopped, checkpoint or not. */
  readonly deadlineAt: Date;
  /** One sentence: for whom, or for what. */
  readonly why: string;
}

/** How a gang was found hung. */
export interface Hung {
  /** The rank that is not where the others wait; -1 when the stacks do not tell. */
  readonly rank: number;
  readonly step: number;
  readonly silentMs: number;
  readonly limitMs: number;
  /** Its stack, or another's when none stands out. */
  readonly stack: string;
}

/** A point that halted a run. */
export interface NonFinite {
  readonly key: string;
  readonly step: number;
  readonly rank: number;
  /** "NaN", "Infinity" or "-Infinity": what JSON and BSON alike can hold. */
  readonly value: string;
}

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
  readonly yielding?: Yielding;
  readonly hung?: Hung;
  /** Since when it does nothing; absent while it works. */
  readonly idleSince?: Date;
  /** Which ranks hold it up; absent when none does. */
  readonly slowness?: Slowness;
  /** The parts that are over, by node. */
  readonly endedParts: readonly EndedPart[];
  readonly endedAt?: Date;
  readonly failure?: Failure;
}

/** Ranks of the attempt's gang. */
export function gangSize(attempt: Pick<Attempt, "placements">): number {
  return attempt.placements.reduce((sum, { ranks }) => sum + ranks.length, 0);
}
