/** Whose failure it was; each class has its own retry budget. */
export type FailureClass = "user" | "infra" | "preempted" | "platform" | "data";

/** How an attempt, or the job, failed. */
export interface Failure {
  readonly class: FailureClass;
  /** UPPER_SNAKE, for programs. */
  readonly reason: string;
  /** One sentence, for people. */
  readonly message: string;
  /** The rank that failed first; -1 when no rank did. */
  readonly rank: number;
  /** 0 when a signal killed it. */
  readonly exitCode: number;
  /** 0 when it exited. */
  readonly signal: number;
  /** The end of its traceback or standard error. */
  readonly tracebackTail: string;
  /** The highest step that any rank of the gang had reported; -1 when none. */
  readonly step: number;
  /** The node that failed, or on which the rank ran; absent when none is to blame. */
  readonly nodeId?: string;
  /** The metric that became NaN or infinite. */
  readonly metricKey?: string;
}

/** A failure that no rank is to blame for. */
export function failureWithoutRank(
  failureClass: FailureClass,
  reason: string,
  message: string,
  nodeId?: string,
): Failure {
  return {
    ...(nodeId === undefined ? {} : { nodeId }),
    class: failureClass,
    reason,
    message,
    rank: -1,
    exitCode: 0,
    signal: 0,
    tracebackTail: "",
    step: -1,
  };
}
