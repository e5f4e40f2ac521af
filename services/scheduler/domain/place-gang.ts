import type { Placement } from "./attempt.ts";
import type { FreeSlots } from "./free-slots.ts";
import { type GangShape, type GangUnits, unitsOf } from "./gang-shape.ts";
import type { SlotBuckets } from "./slot-buckets.ts";

/**
 * Places a whole gang, or nothing (`undefined`): of an elastic one as many ranks as fit, from its fewest. It takes the fewest nodes that can hold it: roomiest first, and for
 * the rest of the gang the tightest node that still fits, so that whole nodes stay free for large gangs. Taking the
 * roomiest first is what makes the number of nodes smallest. What belongs on one node (see `GangShape`) stays on one.
 */
export function placeGang(free: FreeSlots, gang: GangShape): readonly Placement[] | undefined {
  const fewest = gang.minRanks ?? gang.ranks;
  const among = free.among(gang.slotKind);
  const ranks =
    gang.minRanks === undefined ? gang.ranks : Math.min(gang.ranks, among.rankCapacity(gang.slotsPerRank));
  if (ranks < fewest) return undefined;
  const units = unitsOf({ ...gang, ranks });
  if (units.apart) return placeApart(free, among, units);
  if (among.rankCapacity(units.slots) < units.count) return undefined;
  const placements: Placement[] = [];
  for (let next = 0; next < units.count; ) {
    const rest = units.count - next;
    const node = among.tightest(rest * units.slots) ?? among.roomiest();
    if (node === undefined) throw new Error("the capacity was checked before, and a node is missing now");
    const count = Math.min(rest, Math.floor(free.freeOn(node) / units.slots));
    const slots = free.take(node, count * units.slots);
    placements.push(placement(free.idOf(node), units, next, count, slots));
    next += count;
  }
  return placements;
}

/** One piece on each of as many nodes as there are pieces, the tightest that fit. */
function placeApart(free: FreeSlots, among: SlotBuckets, units: GangUnits): readonly Placement[] | undefined {
  if (among.nodesWith(units.slots) < units.count) return undefined;
  // Each node is taken whole, so that it is not found again, and what is too much is given back at the end.
  const taken = Array.from({ length: units.count }, () => {
    const node = among.tightest(units.slots);
    if (node === undefined) throw new Error("the nodes were counted before, and one is missing now");
    return { node, slots: free.take(node, free.freeOn(node)) };
  });
  return taken.map(({ node, slots }, index) => {
    free.giveBack(node, slots.slice(units.slots));
    return placement(free.idOf(node), units, index, 1, slots.slice(0, units.slots));
  });
}

function placement(
  nodeId: string,
  units: GangUnits,
  first: number,
  count: number,
  slots: readonly number[],
): Placement {
  const ranks = Array.from({ length: count * units.ranks }, (_, index) => first * units.ranks + index);
  return { nodeId, ranks, slots };
}
