/**
 * Gang admission in priority-then-FIFO order.
 *
 * The line is ordered by `compareWaiting`. It is worked through from the front: a gang is admitted whole or not at all,
 * and once one cannot be placed, nobody behind it is, because a later job that took slots would delay it. Two kinds of
 * jobs keep their place without holding up the line, since nobody who passes delays them: one whose back-off has not
 * passed, and one that the present fleet could not run even if it were empty. An elastic gang takes what fits, up to its most.
 * Two nodes that cannot reach each other get no gang together while the fleet has another place for it.
 *
 * Pure: the same snapshot and time give the same decision, whatever the order of the snapshot's lists.
 */
import type { Admission, Decision, Explanation } from "./decision.ts";
import { explainBackoff, explainBehind, explainHead, explainSevered, explainTooLarge } from "./explain.ts";
import { FreeSlots } from "./free-slots.ts";
import { ranksThatFit, unitsOf } from "./gang-shape.ts";
import type { Pending } from "./pending.ts";
import { type Place, placeWithoutSevered } from "./place-apart.ts";
import { placeGang } from "./place-gang.ts";
import type { Snapshot, WaitingJob } from "./snapshot.ts";
import { compareWaiting } from "./waiting-order.ts";

export function decide(snapshot: Snapshot, nowMs: number): Decision {
  const present = snapshot.nodes.filter((node) => node.present && node.withheld === undefined);
  const withheld = snapshot.nodes.filter((node) => node.present && node.withheld !== undefined);
  const slotsPresent = present.reduce((sum, { slots }) => sum + slots, 0);
  const free = new FreeSlots(
    present.filter((node) => node.usable),
    snapshot.held,
  );
  const admissions: Admission[] = [];
  const explanations: Explanation[] = [];
  const positions = new Map<string, number>();
  let head: WaitingJob | undefined;

  const sizes = present.map(({ slots }) => slots);
  const capacities = new Map<string, number>();
  /** Ranks of such a gang that the empty fleet holds. */
  const emptyCapacity = (job: WaitingJob): number => {
    const { ranks, slots, apart } = unitsOf(job);
    const key = `${ranks} ${slots} ${apart}`;
    const known = capacities.get(key);
    if (known !== undefined) return known;
    const capacity = ranksThatFit(sizes, job);
    capacities.set(key, capacity);
    return capacity;
  };

  const numbers = (job: WaitingJob) => ({
    slotsFree: free.total,
    slotsPresent,
    rankCapacity: capacityNow(free, job),
    rankCapacityEmpty: emptyCapacity(job),
    nodesKnown: snapshot.nodes.length,
    withheld,
  });

  /** Not on nodes that cannot reach each other, unless the fleet has no other place for such a gang. */
  const placeNow = (job: WaitingJob): Place => {
    const place = placeWithoutSevered(free, job, snapshot.severed ?? []);
    if (place.kind !== "severed") return place;
    const elsewhere = placeWithoutSevered(new FreeSlots(present, []), job, snapshot.severed ?? []);
    if (elsewhere.kind === "placed") return place;
    const placements = placeGang(free, job);
    return placements === undefined ? { kind: "none" } : { kind: "placed", placements };
  };

  const consider = (job: WaitingJob): Pending | Admission => {
    if (job.notBeforeMs !== undefined && job.notBeforeMs > nowMs) {
      return explainBackoff(job, job.notBeforeMs, free.total);
    }
    if (emptyCapacity(job) < (job.minRanks ?? job.ranks)) return explainTooLarge(job, numbers(job));
    if (head !== undefined) return explainBehind(job, head, free.total);
    const place = placeNow(job);
    if (place.kind === "placed") return { jobId: job.id, placements: place.placements };
    head = job;
    return place.kind === "severed"
      ? explainSevered(job, place.pair, free.total)
      : explainHead(job, numbers(job));
  };

  for (const job of [...snapshot.waiting].sort(compareWaiting)) {
    const result = consider(job);
    if ("placements" in result) {
      admissions.push(result);
      continue;
    }
    const position = positions.get(job.queue) ?? 0;
    positions.set(job.queue, position + 1);
    explanations.push({ jobId: job.id, pending: { ...result, position } });
  }
  return { admissions, explanations };
}

/** Ranks of such a gang that fit now. */
function capacityNow(free: FreeSlots, job: WaitingJob): number {
  const { ranks, slots, apart } = unitsOf(job);
  return ranks * (apart ? free.nodesWith(slots) : free.rankCapacity(slots));
}
