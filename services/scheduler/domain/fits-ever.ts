import { count } from "./explain.ts";
import { ranksThatFit as fit, type GangShape, nodesFor, unitWords } from "./gang-shape.ts";

/** Why the whole known fleet could not hold a gang, with the numbers; `undefined` when it could. */
export interface NeverFits {
  readonly message: string;
  readonly slotsNeeded: number;
  readonly slotsKnown: number;
  /** Ranks of this size that the empty fleet holds. */
  readonly ranksThatFit: number;
  /** The field of the spec that asks for too much. */
  readonly field: string;
}

/**
 * Whether the gang could run if every known node, lost ones too, were here and empty. Where no node has ever
 * registered nothing is known, so nothing is refused: the job waits and says so.
 */
export function neverFits(
  fleet: readonly { readonly id: string; readonly slots: number; readonly slotKind: string }[],
  gang: GangShape,
): NeverFits | undefined {
  if (fleet.length === 0) return undefined;
  const nodes = nodesFor(fleet, gang);
  if (nodes.length === 0) return noSuchKind(fleet, gang);
  const sizes = nodes.map(({ slots }) => slots);
  const ranksThatFit = fit(sizes, gang);
  if (ranksThatFit >= gang.ranks) return undefined;
  const slotsNeeded = gang.ranks * gang.slotsPerRank;
  const slotsKnown = sizes.reduce((sum, slots) => sum + slots, 0);
  const largest = Math.max(...sizes);
  const whole =
    gang.slotKind === undefined ? "the whole fleet" : `the fleet's nodes of kind ${gang.slotKind}`;
  const message = `The gang needs ${count(slotsNeeded, "slot")} (${count(gang.ranks, "rank")} of ${count(gang.slotsPerRank, "slot")}, ${unitWords(gang)}), but ${whole} ${gang.slotKind === undefined ? "has" : "have"} ${count(slotsKnown, "slot")} on ${count(nodes.length, "node")}, the largest with ${largest}: at most ${count(ranksThatFit, "such rank")}. Ask for fewer, or add nodes.`;
  return { message, slotsNeeded, slotsKnown, ranksThatFit, field: "spec.ranks" };
}

function noSuchKind(fleet: readonly { readonly slotKind: string }[], gang: GangShape): NeverFits {
  const kinds = [...new Set(fleet.map(({ slotKind }) => slotKind))].sort().join(", ");
  const message = `No node has slots of kind ${JSON.stringify(gang.slotKind)}; the kinds that there are: ${kinds}. Ask for one of them, or add nodes of that kind.`;
  const slotsNeeded = gang.ranks * gang.slotsPerRank;
  return { message, slotsNeeded, slotsKnown: 0, ranksThatFit: 0, field: "spec.slot_kind" };
}
