import type { Placement } from "./attempt.ts";
import type { GangShape } from "./gang-shape.ts";
import type { Priority } from "./job-spec.ts";
import type { SeveredPair } from "./severed-pairs.ts";

/** A node as placement sees it. */
export interface NodeCapacity {
  readonly id: string;
  readonly slots: number;
  readonly slotKind: string;
  /** Whether ranks may be placed there now. */
  readonly usable: boolean;
  /** Whether its slots count as the fleet's: false for a lost node, which may never return. */
  readonly present: boolean;
  /** Why a node that is well gets no new gangs, after its name: "is cordoned by user:ada". Its slots do not count as the fleet's. */
  readonly withheld?: string;
}

/** A job that waits for slots. */
export interface WaitingJob extends GangShape {
  readonly id: string;
  readonly queue: string;
  readonly priority: Priority;
  readonly createdAtMs: number;
  /** Back-off after a failed attempt: not to be admitted earlier. */
  readonly notBeforeMs?: number;
  /** The failure that led to the back-off, as a reason. */
  readonly retryReason?: string;
}

/** Everything one decision depends on, taken at one moment. The order of the lists means nothing. */
export interface Snapshot {
  readonly nodes: readonly NodeCapacity[];
  readonly waiting: readonly WaitingJob[];
  /** Placements of every attempt that holds slots. */
  readonly held: readonly Placement[];
  /** Nodes that cannot reach each other; none when left out. */
  readonly severed?: readonly SeveredPair[];
}
