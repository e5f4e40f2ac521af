/** Which elastic gang may grow: it is asked for a checkpoint, and starts again with more ranks when that is stored. */
import type { Placement } from "./attempt.ts";
import { FreeSlots } from "./free-slots.ts";
import type { NodeCapacity } from "./snapshot.ts";

/** An elastic gang that runs. */
export interface RunningElastic {
  readonly jobId: string;
  readonly createdAtMs: number;
  readonly ranks: number;
  readonly mostRanks: number;
  readonly slotsPerRank: number;
  /** Of any kind when left out. */
  readonly slotKind?: string;
  /** When its newest attempt had all its ranks. */
  readonly sinceMs: number;
}

/**
 * The gang that may grow now, with how many ranks it would have; one at a time, the oldest job first. Nobody grows while
 * anyone waits, for waiting jobs come first, nor within `notBeforeMs` of its last start: each growth costs a restart.
 */
export function mayGrow(
  running: readonly RunningElastic[],
  fleet: {
    readonly nodes: readonly NodeCapacity[];
    readonly held: readonly Placement[];
    readonly waiting: number;
  },
  nowMs: number,
  notBeforeMs: number,
): { readonly jobId: string; readonly ranks: number } | undefined {
  if (fleet.waiting > 0) return undefined;
  const open = fleet.nodes.filter((node) => node.present && node.usable && node.withheld === undefined);
  const free = new FreeSlots(open, fleet.held);
  const inOrder = [...running].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.jobId < b.jobId ? -1 : 1));
  for (const gang of inOrder) {
    if (gang.ranks >= gang.mostRanks || nowMs - gang.sinceMs < notBeforeMs) continue;
    const more = Math.min(
      gang.mostRanks - gang.ranks,
      free.among(gang.slotKind).rankCapacity(gang.slotsPerRank),
    );
    if (more > 0) return { jobId: gang.jobId, ranks: gang.ranks + more };
  }
  return undefined;
}
