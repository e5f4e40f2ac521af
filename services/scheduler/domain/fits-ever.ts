import { count } from "./explain.ts";
import { FreeSlots } from "./free-slots.ts";

/** Why the whole known fleet could not hold a gang, with the numbers; `undefined` when it could. */
export interface NeverFits {
  readonly message: string;
  readonly slotsNeeded: number;
  readonly slotsKnown: number;
  /** Ranks of this size that the empty fleet holds. */
  readonly ranksThatFit: number;
}

/**
 * Whether the gang could run if every known node, lost ones too, were here and empty. Where no node has ever
 * registered nothing is known, so nothing is refused: the job waits and says so.
 */
export function neverFits(
  nodes: readonly { readonly id: string; readonly slots: number }[],
  gang: { readonly ranks: number; readonly slotsPerRank: number },
): NeverFits | undefined {
  if (nodes.length === 0) return undefined;
  const fleet = new FreeSlots(
    nodes.map(({ id, slots }) => ({ id, slots, usable: true, present: true })),
    [],
  );
  const ranksThatFit = fleet.rankCapacity(gang.slotsPerRank);
  if (ranksThatFit >= gang.ranks) return undefined;
  const slotsNeeded = gang.ranks * gang.slotsPerRank;
  const largest = Math.max(...nodes.map(({ slots }) => slots));
  const message = `The gang needs ${count(slotsNeeded, "slot")} (${count(gang.ranks, "rank")} of ${count(gang.slotsPerRank, "slot")}, each rank on one node), but the whole fleet has ${count(fleet.total, "slot")} on ${count(nodes.length, "node")}, the largest with ${largest}: at most ${count(ranksThatFit, "such rank")}. Ask for fewer, or add nodes.`;
  return { message, slotsNeeded, slotsKnown: fleet.total, ranksThatFit };
}
