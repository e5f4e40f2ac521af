import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FreeSlots } from "./free-slots.ts";
import { type GangShape, ranksThatFit } from "./gang-shape.ts";
import { placeGang } from "./place-gang.ts";

const fleet = (...slots: readonly number[]) =>
  new FreeSlots(
    slots.map((count, index) => ({
      id: `n${index}`,
      slots: count,
      slotKind: "cpu",
      usable: true,
      present: true,
    })),
    [],
  );
const placed = (free: FreeSlots, gang: GangShape) =>
  placeGang(free, gang)?.map(({ nodeId, ranks }) => [nodeId, ...ranks]);

describe("a gang with tensor groups", () => {
  it("keeps each group on one node although single ranks would fill the nodes better", () => {
    const gang = { ranks: 4, slotsPerRank: 1, tensor: 2 };
    expect(placed(fleet(3, 3), gang)).toEqual([
      ["n0", 0, 1],
      ["n1", 2, 3],
    ]);
    expect(placed(fleet(3, 1), gang)).toBeUndefined();
    expect(placed(fleet(3, 1), { ranks: 4, slotsPerRank: 1 })).toHaveLength(2);
  });
});

describe("a gang spread over nodes", () => {
  it("has the same number of ranks on each of exactly so many nodes, the tightest that fit", () => {
    const gang = { ranks: 4, slotsPerRank: 1, nodes: 2 };
    expect(placed(fleet(8, 3, 2, 1), gang)).toEqual([
      ["n2", 0, 1],
      ["n1", 2, 3],
    ]);
    expect(placed(fleet(8, 1), gang)).toBeUndefined();
  });

  it("leaves what it does not need of its nodes to others", () => {
    const free = fleet(4, 4);
    const [first, second] = placeGang(free, { ranks: 2, slotsPerRank: 1, nodes: 2 }) ?? [];
    expect([first?.slots, second?.slots]).toEqual([[0], [0]]);
    expect(free.among(undefined).total).toBe(6);
    expect(placeGang(free, { ranks: 3, slotsPerRank: 1 })).toEqual([
      { nodeId: "n0", ranks: [0, 1, 2], slots: [1, 2, 3] },
    ]);
  });
});

it("places a gang whenever it fits, every rank and slot once, and never breaks a group", () => {
  const gangs = fc.record({
    tensor: fc.integer({ min: 1, max: 4 }),
    groups: fc.integer({ min: 1, max: 6 }),
    slotsPerRank: fc.integer({ min: 1, max: 3 }),
    nodes: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  });
  const sizes = fc.array(fc.integer({ min: 0, max: 16 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(sizes, gangs, (slots, { tensor, groups, slotsPerRank, nodes }) => {
      const ranks = tensor * groups * (nodes ?? 1);
      const gang = { ranks, slotsPerRank, tensor, ...(nodes === undefined ? {} : { nodes }) };
      const free = fleet(...slots);
      const placements = placeGang(free, gang);
      expect(placements !== undefined).toBe(ranksThatFit(slots, gang) >= ranks);
      if (placements === undefined) return;
      expect(placements.flatMap((one) => one.ranks)).toEqual(
        Array.from({ length: ranks }, (_, rank) => rank),
      );
      for (const one of placements) {
        expect(one.ranks.length % tensor).toBe(0);
        expect(new Set(one.slots).size).toBe(one.ranks.length * slotsPerRank);
      }
      expect(new Set(placements.map(({ nodeId }) => nodeId)).size).toBe(nodes ?? placements.length);
      expect(free.among(undefined).total).toBe(slots.reduce((sum, n) => sum + n, 0) - ranks * slotsPerRank);
    }),
  );
});
