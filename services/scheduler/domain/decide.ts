/**
 * Gang admission in priority-then-FIFO order.
 *
 * The line is ordered by `compareWaiting`. It is worked through from the front: a gang is admitted whole or not at all,
 * and once one cannot be placed, nobody behind it is, because a later job that took slots would delay it. Two kinds of
 * jobs keep their place without holding up the line, since nobody who passes delays them: one whose back-off has not
 * passed, and one that the present fleet could not run even if it were empty. An elastic gang takes what fits, up to its most.
 * Two nodes that cannot reach each other get no gang together while the fleet has another place for it.
 * A gang that asks for one kind of slots holds up those that ask for the same. Who takes any kind is placed among those that
 * nobody before it waits for, and holds up everybody once it waits itself.
 *
 * Pure: the same snapshot and time give the same decision, whatever the order of the snapshot's lists.
 */
import type { Admission, Decision, Explanation } from "./decision.ts";
import { explainBackoff, explainBehind, explainHead, explainSevered, explainTooLarge } from "./explain.ts";
import { FreeSlots } from "./free-slots.ts";
import { type GangShape, nodesFor, ranksThatFit, unitsOf } from "./gang-shape.ts";
import type { Pending } from "./pending.ts";
import { type Place, placeWithoutSevered } from "./place-apart.ts";
import { placeGang } from "./place-gang.ts";
import type { NodeCapacity, Snapshot, WaitingJob } from "./snapshot.ts";
import { compareWaiting } from "./waiting-order.ts";

export function decide(snapshot: Snapshot, nowMs: number): Decision {
  const free = new FreeSlots(
    snapshot.nodes.filter((node) => isPresent(node) && node.usable),
    snapshot.held,
  );
  const admissions: Admission[] = [];
  const explanations: Explanation[] = [];
  const positions = new Map<string, number>();
  /** The first job that waits for slots of a kind, and under "" the first that takes any. */
  const heads = new Map<string, WaitingJob>();

  const fleets = new Map<string, ReturnType<typeof fleetOf>>();
  const fleetFor = (job: WaitingJob) => {
    const known = fleets.get(job.slotKind ?? "") ?? fleetOf(snapshot, job);
    fleets.set(job.slotKind ?? "", known);
    return known;
  };
  const capacities = new Map<string, number>();
  /** Ranks of such a gang that the empty fleet holds. */
  const emptyCapacity = (job: WaitingJob): number => {
    const { ranks, slots, apart } = unitsOf(job);
    const key = `${ranks} ${slots} ${apart} ${job.slotKind ?? ""}`;
    const known = capacities.get(key);
    if (known !== undefined) return known;
    const capacity = ranksThatFit(fleetFor(job).sizes, job);
    capacities.set(key, capacity);
    return capacity;
  };

  const numbers = (job: WaitingJob) => ({
    ...fleetFor(job),
    slotsFree: free.among(job.slotKind).total,
    rankCapacity: capacityNow(free, job),
    rankCapacityEmpty: emptyCapacity(job),
  });

  /** Not on nodes that cannot reach each other, unless the fleet has no other place for such a gang. */
  const placeNow = (job: WaitingJob): Place => {
    const place = placeWithoutSevered(free, job, snapshot.severed ?? []);
    if (place.kind !== "severed") return place;
    const whole = new FreeSlots(snapshot.nodes.filter(isPresent), []);
    const elsewhere = placeWithoutSevered(whole, job, snapshot.severed ?? []);
    if (elsewhere.kind === "placed") return place;
    const placements = placeGang(free, job);
    return placements === undefined ? { kind: "none" } : { kind: "placed", placements };
  };

  /** A gang that takes any kind, where others wait for some kinds: on one of which nobody waits. */
  const placeBeside = (job: WaitingJob): Place => {
    const kinds = job.slotKind === undefined && !heads.has("") ? free.kinds : [];
    for (const slotKind of kinds.filter((kind) => !heads.has(kind))) {
      const place = placeNow({ ...job, slotKind });
      if (place.kind === "placed") return place;
    }
    return { kind: "none" };
  };

  const consider = (job: WaitingJob): Pending | Admission => {
    if (job.notBeforeMs !== undefined && job.notBeforeMs > nowMs) {
      return explainBackoff(job, job.notBeforeMs, free.among(job.slotKind).total);
    }
    if (emptyCapacity(job) < (job.minRanks ?? job.ranks)) return explainTooLarge(job, numbers(job));
    const head = headOf(heads, job);
    const place = head === undefined ? placeNow(job) : placeBeside(job);
    if (place.kind === "placed") return { jobId: job.id, placements: place.placements };
    if (!heads.has(job.slotKind ?? "")) heads.set(job.slotKind ?? "", job);
    const slotsFree = free.among(job.slotKind).total;
    if (head !== undefined) return explainBehind(job, head, slotsFree);
    return place.kind === "severed"
      ? explainSevered(job, place.pair, slotsFree)
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

/** The job before this one whose slots it would take; `undefined` when it delays nobody. */
function headOf(heads: ReadonlyMap<string, WaitingJob>, { slotKind }: GangShape): WaitingJob | undefined {
  if (slotKind === undefined) return heads.values().next().value;
  return heads.get(slotKind) ?? heads.get("");
}

/** The nodes on which a gang may be placed, in numbers. */
function fleetOf(snapshot: Snapshot, gang: GangShape) {
  const nodes = nodesFor(snapshot.nodes, gang);
  const sizes = nodes.filter(isPresent).map(({ slots }) => slots);
  return {
    sizes,
    slotsPresent: sizes.reduce((sum, slots) => sum + slots, 0),
    nodesKnown: nodes.length,
    withheld: nodes.filter((node) => node.present && node.withheld !== undefined),
  };
}

function isPresent({ present, withheld }: NodeCapacity): boolean {
  return present && withheld === undefined;
}

/** Ranks of such a gang that fit now. */
function capacityNow(free: FreeSlots, job: WaitingJob): number {
  const { ranks, slots, apart } = unitsOf(job);
  const among = free.among(job.slotKind);
  return ranks * (apart ? among.nodesWith(slots) : among.rankCapacity(slots));
}
