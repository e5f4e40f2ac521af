import type { AttemptKey } from "../domain/assignment.ts";
import type { AttemptPhase } from "../domain/attempt-phase.ts";
import type { RankExit } from "../domain/exit-record.ts";
import type { ShimStart } from "../domain/launcher-rules.ts";
import type { NonFinite } from "../domain/non-finite.ts";
import type { RankUsage } from "../domain/rank-usage.ts";
import type { StepTiming } from "../domain/step-timing.ts";
import type { StartFailure } from "./spool.ts";

/** A node's part of an attempt as the heartbeat tells it. */
export interface AttemptStatus {
  readonly key: AttemptKey;
  readonly project: string;
  readonly jobId: string;
  readonly runId: string;
  readonly attempt: number;
  readonly phase: AttemptPhase;
  readonly ranks: readonly RankStatus[];
  readonly failure?: StartFailure;
  /** The first watched metric that became NaN or infinite. */
  readonly nonFinite?: NonFinite;
  /** Of a gang on several nodes: its survivors here have begun to save. */
  readonly handingOver: boolean;
  /** A rank of this node has waited in vain for others. */
  readonly collectiveTimedOut: boolean;
  /** How this agent started its ranks; absent before, and where another agent did. */
  readonly start?: ShimStart;
}

export interface RankStatus {
  readonly rank: number;
  /** 0 before it started. */
  readonly pid: number;
  readonly startedAtMs?: number;
  readonly firstStepAtMs?: number;
  /** -1 when none. */
  readonly lastStep: number;
  /** What it uses; unset before its second second and after its end. */
  readonly usage?: RankUsage;
  /** What it says it does besides training steps; empty while it trains. */
  readonly phase: string;
  /** Step of its newest checkpoint part that tracking has taken. */
  readonly checkpointStep?: number;
  /** Where its steps spend their time. */
  readonly timing?: StepTiming;
  /** Set when it has ended; the tail only of one that failed. */
  readonly exit?: RankExit & { readonly tracebackTail: string };
}
