/** How many ranks a gang has, what each occupies, and which of them belong on one node. */
export interface GangShape {
  /** The most of an elastic gang. */
  readonly ranks: number;
  /** The fewest of an elastic gang, which has neither tensor groups nor a fixed number of nodes; left out where the number is fixed. */
  readonly minRanks?: number;
  /** Slots each rank occupies on one node. */
  readonly slotsPerRank: number;
  /** Ranks of one tensor-parallel group, which stay on one node; 1 when left out. */
  readonly tensor?: number;
  /** Exactly so many nodes, each with the same number of ranks; left out where the scheduler may choose. */
  readonly nodes?: number;
  /** The kind of its slots; left out where any will do. */
  readonly slotKind?: string;
}

/** A gang in pieces that each go to one node whole. */
export interface GangUnits {
  readonly count: number;
  /** Ranks of one piece, consecutive. */
  readonly ranks: number;
  /** Slots of one piece. */
  readonly slots: number;
  /** Whether each piece must have a node of its own. */
  readonly apart: boolean;
}

/** The pieces of a gang: one per node where the number of nodes is fixed, else one per tensor group, else one per rank. */
export function unitsOf({ ranks, slotsPerRank, tensor = 1, nodes }: GangShape): GangUnits {
  const each = nodes === undefined ? tensor : ranks / nodes;
  return { count: ranks / each, ranks: each, slots: each * slotsPerRank, apart: nodes !== undefined };
}

/** How many ranks of such a gang fit into nodes with so many free slots. */
export function ranksThatFit(freeSlots: readonly number[], gang: GangShape): number {
  const { ranks, slots, apart } = unitsOf(gang);
  const units = freeSlots.reduce(
    (sum, free) => sum + (apart ? Math.min(1, Math.floor(free / slots)) : Math.floor(free / slots)),
    0,
  );
  return units * ranks;
}

/** "each rank on one node", or what of this gang has to be on one node. */
export function unitWords(gang: GangShape): string {
  const { ranks, apart } = unitsOf(gang);
  if (apart) return `${gang.nodes} nodes with ${ranks === 1 ? "1 rank" : `${ranks} ranks`} on each`;
  return ranks === 1 ? "each rank on one node" : `each tensor group of ${ranks} ranks on one node`;
}

/** Those nodes on which a gang may be placed. */
export function nodesFor<Node extends { readonly slotKind: string }>(
  nodes: readonly Node[],
  { slotKind }: GangShape,
): readonly Node[] {
  return slotKind === undefined ? nodes : nodes.filter((node) => node.slotKind === slotKind);
}
