/** Why a job waits, for programs. */
export type PendingReason =
  | "not-yet-considered"
  | "not-enough-slots"
  | "fragmented"
  | "behind-another-job"
  | "retry-backoff"
  | "opening-attempt"
  | "starting-ranks"
  | "waiting-for-previous-attempt"
  | "node-orders-full"
  | "nodes-withheld";

/** Why a job waits, explained. */
export interface Pending {
  readonly reason: PendingReason;
  /** One sentence with the numbers. */
  readonly message: string;
  readonly slotsNeeded: number;
  /** Free on nodes that it could use. */
  readonly slotsFree: number;
  /** The job it waits behind; empty when none. */
  readonly behindJobId: string;
  /** Jobs before it in its queue. */
  readonly position: number;
}
