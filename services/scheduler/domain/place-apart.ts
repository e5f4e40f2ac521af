import type { Placement } from "./attempt.ts";
import type { FreeSlots } from "./free-slots.ts";
import type { GangShape } from "./gang-shape.ts";
import { placeGang } from "./place-gang.ts";
import { type SeveredPair, severedPairIn } from "./severed-pairs.ts";

/** Ways of leaving nodes out that are tried: many severed pairs are an outage, which no placement mends. */
const MAX_TRIES = 32;

/** Where a gang goes, or the severed pair that stands in the way of every place that was found. */
export type Place =
  | { readonly kind: "placed"; readonly placements: readonly Placement[] }
  | { readonly kind: "severed"; readonly pair: SeveredPair }
  | { readonly kind: "none" };

/**
 * Places a gang as `placeGang` does, on no two nodes that cannot reach each other: where it would be, one of the two is
 * left out, then the other. What is not used stays free.
 */
export function placeWithoutSevered(free: FreeSlots, gang: GangShape, pairs: readonly SeveredPair[]): Place {
  let tries = 0;
  const place = (): Place => {
    tries++;
    const placements = placeGang(free, gang);
    if (placements === undefined) return { kind: "none" };
    const pair = severedPairIn(placements, pairs);
    if (pair === undefined) return { kind: "placed", placements };
    for (const { nodeId, slots } of placements) free.giveBack(free.nodeOf(nodeId), slots);
    for (const left of [pair.second, pair.first]) {
      if (tries >= MAX_TRIES) break;
      const node = free.nodeOf(left);
      const hidden = free.take(node, free.freeOn(node));
      const found = place();
      free.giveBack(node, hidden);
      if (found.kind === "placed") return found;
    }
    return { kind: "severed", pair };
  };
  return place();
}
