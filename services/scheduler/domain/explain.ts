import { ranksThatFit, unitsOf } from "./gang-shape.ts";
import type { HeldBack } from "./held-back.ts";
import type { Job } from "./job.ts";
import type { Pending, PendingReason } from "./pending.ts";
import type { SeveredPair } from "./severed-pairs.ts";
import type { NodeCapacity, WaitingJob } from "./snapshot.ts";

/** "1 slot", "3 slots". */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** The numbers that explanations are made of. */
export interface FleetNumbers {
  /** Free on usable nodes. */
  readonly slotsFree: number;
  /** Slots of all nodes that are here, free or not. */
  readonly slotsPresent: number;
  /** Ranks of the job's size that fit on usable nodes now. */
  readonly rankCapacity: number;
  /** Ranks of the job's size that the nodes that are here would hold if they were empty. */
  readonly rankCapacityEmpty: number;
  readonly nodesKnown: number;
  /** Nodes that are well and kept from new work. */
  readonly withheld: readonly NodeCapacity[];
}

/** Nodes that a sentence names one by one. */
const NAMED_NODES = 4;

/** What the gang needs at the least. */
function need(job: Pick<WaitingJob, "ranks" | "minRanks" | "slotsPerRank" | "slotKind">): string {
  const ranks = job.minRanks ?? job.ranks;
  const what = job.slotKind === undefined ? "slot" : `${job.slotKind} slot`;
  const slots = `${job.minRanks === undefined ? "" : "at least "}${count(ranks * job.slotsPerRank, what)}`;
  return ranks === 1 ? slots : `${slots} (${ranks} ranks of ${job.slotsPerRank})`;
}

function pending(
  job: Pick<WaitingJob, "ranks" | "minRanks" | "slotsPerRank">,
  reason: PendingReason,
  message: string,
  slotsFree: number,
  behindJobId = "",
): Pending {
  const slotsNeeded = (job.minRanks ?? job.ranks) * job.slotsPerRank;
  return { reason, message, slotsNeeded, slotsFree, behindJobId, position: 0 };
}

/** The last attempt failed and the next must wait. The time is absolute, so that the sentence does not change by itself. */
export function explainBackoff(job: WaitingJob, notBeforeMs: number, slotsFree: number): Pending {
  const why = job.retryReason === undefined ? "" : ` (${job.retryReason})`;
  const message = `The last attempt failed${why}; the next starts after ${new Date(notBeforeMs).toISOString()}.`;
  return pending(job, "retry-backoff", message, slotsFree);
}

/** The fleet as it is could not run the job, even without any other job: it holds nobody up. */
export function explainTooLarge(job: WaitingJob, fleet: FleetNumbers): Pending {
  const more = ranksThatFit(
    fleet.withheld.map(({ slots }) => slots),
    job,
  );
  if (fleet.rankCapacityEmpty + more >= (job.minRanks ?? job.ranks)) return explainWithheld(job, fleet);
  const message =
    fleet.nodesKnown === 0
      ? `No node${job.slotKind === undefined ? "" : ` with slots of kind ${job.slotKind}`} has joined yet; the gang needs ${need(job)}.`
      : `The gang needs ${need(job)}; the nodes that are here have ${count(fleet.slotsPresent, "slot")} in all and cannot hold it. It waits for nodes to join or return.`;
  return pending(job, "not-enough-slots", message, fleet.slotsFree);
}

/** It would fit on nodes that are well, were they not kept from new work. */
function explainWithheld(job: WaitingJob, { withheld, slotsFree, slotsPresent }: FleetNumbers): Pending {
  const named = withheld
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, NAMED_NODES)
    .map(({ id, slots, withheld: why }) => `node ${id} (${count(slots, "slot")}) ${why}`);
  const others =
    withheld.length > NAMED_NODES ? `, and ${count(withheld.length - NAMED_NODES, "other node")} more` : "";
  const message = `The gang needs ${need(job)}; the nodes that take work have ${slotsPresent} in all: ${named.join("; ")}${others}.`;
  return pending(job, "nodes-withheld", message, slotsFree);
}

/** It stands at the head of the line and waits for slots to become free. */
export function explainHead(job: WaitingJob, fleet: FleetNumbers): Pending {
  const fewest = job.minRanks ?? job.ranks;
  const slotsNeeded = fewest * job.slotsPerRank;
  if (fleet.slotsFree < slotsNeeded) {
    const message = `The gang needs ${need(job)}; ${fleet.slotsFree} of ${fleet.slotsPresent} are free.`;
    return pending(job, "not-enough-slots", message, fleet.slotsFree);
  }
  const units = unitsOf(job);
  const what = units.ranks === 1 && !units.apart ? "a rank" : `${units.ranks} ranks together`;
  const where = units.apart ? `on each of ${units.count} nodes` : "on one node";
  const message = `${fleet.slotsFree} slots are free, but ${what === "a rank" ? "a rank needs" : `${what} need`} ${count(units.slots, "slot")} ${where}, and only ${fleet.rankCapacity} of ${fewest} ranks find such a node.`;
  return pending(job, "fragmented", message, fleet.slotsFree);
}

/** What is free now is on nodes that cannot reach each other, and the fleet has another place for it. */
export function explainSevered(job: WaitingJob, pair: SeveredPair, slotsFree: number): Pending {
  const until = new Date(pair.untilMs).toISOString();
  const message = `Ranks on the nodes ${pair.first} and ${pair.second} could not reach each other: no gang is placed on both until ${until}, and the other nodes have no room for the gang, which needs ${need(job)}.`;
  return pending(job, "nodes-withheld", message, slotsFree);
}

/** Someone before it in the line waits for slots, and it may not pass. */
export function explainBehind(job: WaitingJob, head: WaitingJob, slotsFree: number): Pending {
  const message = `Waits behind ${head.id} (${head.priority} priority), which needs ${need(head)}; ${slotsFree} free.`;
  return pending(job, "behind-another-job", message, slotsFree, head.id);
}

/** Its agents have been told to start it. */
export function explainStarting({ spec }: Pick<Job, "spec">): Pending {
  return pending(spec, "starting-ranks", "The agents are fetching code and data and starting the ranks.", 0);
}

/** It has its slots, but its orders do not fit into what one of its nodes is told. */
export function explainHeldBack({ spec }: Pick<Job, "spec">, held: HeldBack): Pending {
  const { nodeId, bytesNeeded, bytesFree } = held;
  const message = `Slots are reserved, but what node ${nodeId} is told to run has no room for this gang: it needs ${bytesNeeded} bytes and ${bytesFree} are free. It starts when something ends there; large env, params or inputs belong into the code bundle.`;
  return pending(spec, "node-orders-full", message, 0);
}
