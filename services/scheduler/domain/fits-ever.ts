import { count } from "./explain.ts";
import { ranksThatFit as fit, type GangShape, unitWords } from "./gang-shape.ts";

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
  gang: GangShape,
): NeverFits | undefined {
  if (nodes.length === 0) return undefined;
  const sizes = nodes.map(({ slots }) => slots);
  const ranksThatFit = fit(sizes, gang);
  if (ranksThatFit >= gang.ranks) return undefined;
  const slotsNeeded = gang.ranks * gang.slotsPerRank;
  const slotsKnown = sizes.reduce((sum, slots) => sum + slots, 0);
  const largest = Math.max(...sizes);
  const message = `The gang needs ${count(slotsNeeded, "slot")} (${count(gang.ranks, "rank")} of ${count(gang.slotsPerRank, "slot")}, ${unitWords(gang)}), but the whole fleet has ${count(slotsKnown, "slot")} on ${count(nodes.length, "node")}, the largest with ${largest}: at most ${count(ranksThatFit, "such rank")}. Ask for fewer, or add nodes.`;
  return { message, slotsNeeded, slotsKnown, ranksThatFit };
}
