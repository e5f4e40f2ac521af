import type { Placement } from "./attempt.ts";
import type { FreeSlots } from "./free-slots.ts";

/**
 * Places a whole gang, or nothing (`undefined`). It takes the fewest nodes that can hold it: roomiest first, and for
 * the rest of the gang the tightest node that still fits, so that whole nodes stay free for large gangs. Taking the
 * roomiest first is what makes the number of nodes smallest.
 */
export function placeGang(
  free: FreeSlots,
  gang: { readonly ranks: number; readonly slotsPerRank: number },
): readonly Placement[] | undefined {
  const { ranks, slotsPerRank } = gang;
  if (free.rankCapacity(slotsPerRank) < ranks) return undefined;
  const placements: Placement[] = [];
  for (let next = 0; next < ranks; ) {
    const rest = ranks - next;
    const node = free.tightest(rest * slotsPerRank) ?? free.roomiest();
    if (node === undefined) throw new Error("the capacity was checked before, and a node is missing now");
    const count = Math.min(rest, Math.floor(free.freeOn(node) / slotsPerRank));
    const first = next;
    placements.push({
      nodeId: free.idOf(node),
      ranks: Array.from({ length: count }, (_, index) => first + index),
      slots: free.take(node, count * slotsPerRank),
    });
    next += count;
  }
  return placements;
}
