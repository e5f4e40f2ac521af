import type { Placement } from "./attempt.ts";
import type { Pending } from "./pending.ts";

/** A gang that shall start, whole. */
export interface Admission {
  readonly jobId: string;
  readonly placements: readonly Placement[];
}

/** Why a job is not among the admissions. */
export interface Explanation {
  readonly jobId: string;
  readonly pending: Pending;
}

/** What `decide` says: applying it is someone else's, and may fail without harm. */
export interface Decision {
  /** In the order of the line. */
  readonly admissions: readonly Admission[];
  /** One for every waiting job that is not admitted, in the order of the line. */
  readonly explanations: readonly Explanation[];
}
