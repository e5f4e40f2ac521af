import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import { failureWithoutRank } from "./failure.ts";
import { FreeSlots } from "./free-slots.ts";
import { placeWithoutSevered } from "./place-apart.ts";
import { afterSevered, type SeveredFrom, severedBy, severedPairIn, severedPairs } from "./severed-pairs.ts";
import type { WaitingJob } from "./snapshot.ts";

const now = new Date("2026-01-01T00:00:00Z");
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000);
const unreachable = failureWithoutRank("infra", "PEERS_UNREACHABLE", "Every rank lost its peers.");
const on = (...ids: readonly string[]) => ids.map((nodeId) => ({ nodeId }));
const node = (id: string, slots: number) => ({ id, slots, slotKind: "cpu", usable: true, present: true });
const pair = (first: string, second: string, seconds = 30) => ({
  first,
  second,
  failures: 1,
  untilMs: later(seconds).getTime(),
});
const job: WaitingJob = {
  id: "job_1",
  queue: "default",
  priority: "normal",
  createdAtMs: 0,
  ranks: 2,
  slotsPerRank: 1,
};

describe("what says that two nodes cannot reach each other", () => {
  it.each([
    ["a gang on two nodes that lost its peers", unreachable, on("b", "a"), ["a", "b"]],
    ["a gang on three, which may be any pair", unreachable, on("a", "b", "c"), undefined],
    ["a gang on one", unreachable, on("a"), undefined],
    ["another failure", failureWithoutRank("infra", "NODE_LOST", "It is gone."), on("a", "b"), undefined],
    ["a good end", undefined, on("a", "b"), undefined],
  ])("%s", (_what, failure, placements, expected) => {
    expect(severedBy(failure, placements)).toEqual(expected);
  });
});

describe("a pair is avoided", () => {
  const inARow = (count: number) => {
    let at = now;
    let known: readonly SeveredFrom[] = [];
    for (let failure = 0; failure < count; failure++) {
      known = afterSevered(known, "b", at);
      at = known[0]?.until ?? at;
    }
    return (known[0]?.until.getTime() ?? 0) - now.getTime();
  };

  it("for longer each time, and no longer than ten minutes", () => {
    expect([1, 2, 3].map(inARow)).toEqual([30_000, 90_000, 210_000]);
    expect(inARow(20) - inARow(19)).toBe(600_000);
  });

  it("from the beginning again when nothing has failed for ten minutes", () => {
    const known = afterSevered(afterSevered(undefined, "b", now), "b", now);
    expect(afterSevered(known, "b", later(61 + 600))).toMatchObject([{ nodeId: "b", failures: 1 }]);
    expect(afterSevered(known, "c", later(10)).map(({ nodeId }) => nodeId)).toEqual(["b", "c"]);
  });

  it("until its time is over", () => {
    const nodes = [{ id: "a", severed: afterSevered(undefined, "b", now) }, { id: "b" }];
    expect(severedPairs(nodes, later(29))).toEqual([pair("a", "b")]);
    expect(severedPairs(nodes, later(30))).toEqual([]);
  });
});

describe("a gang is placed", () => {
  const slots = { a: 1, b: 1, c: 1 };
  const waits = (
    nodes: readonly ReturnType<typeof node>[],
    severed = [pair("a", "b")],
    held: string[] = [],
  ) =>
    decide(
      {
        nodes,
        waiting: [job],
        severed,
        held: held.map((nodeId) => ({ nodeId, ranks: [0], slots: [0] })),
      },
      now.getTime(),
    );
  const fleet = Object.entries(slots).map(([id, count]) => node(id, count));

  it("on other nodes where there are some", () => {
    const [admission] = waits(fleet).admissions;
    expect(admission?.placements.map(({ nodeId }) => nodeId)).toEqual(["a", "c"]);
  });

  it("on one of the two when it has room for all", () => {
    const [admission] = waits([node("a", 1), node("b", 2)]).admissions;
    expect(admission?.placements.map(({ nodeId }) => nodeId)).toEqual(["b"]);
  });

  it("later, when what else could hold it is taken, and is told until when", () => {
    const decision = waits(fleet, [pair("a", "b")], ["c"]);
    expect(decision.admissions).toEqual([]);
    expect(decision.explanations[0]?.pending).toMatchObject({
      reason: "nodes-withheld",
      message:
        "Ranks on the nodes a and b could not reach each other: no gang is placed on both until 2026-01-01T00:00:30.000Z, and the other nodes have no room for the gang, which needs 2 slots (2 ranks of 1).",
    });
  });

  it("on the two all the same when nothing else could ever hold it", () => {
    const [admission] = waits([node("a", 1), node("b", 1)]).admissions;
    expect(admission?.placements.map(({ nodeId }) => nodeId)).toEqual(["a", "b"]);
  });
});

it("never places a gang on a severed pair, and leaves free what it does not use", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 6 });
  const severed = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(sizes, severed, fc.integer({ min: 1, max: 8 }), (each, drawn, ranks) => {
      const free = new FreeSlots(
        each.map((count, index) => node(`n${index}`, count)),
        [],
      );
      const before = free.among(undefined).total;
      const pairs = drawn
        .filter(([a, b]) => a < b && b < each.length)
        .map(([a, b]) => pair(`n${a}`, `n${b}`));
      const place = placeWithoutSevered(free, { ranks, slotsPerRank: 1 }, pairs);
      if (place.kind !== "placed") expect(free.among(undefined).total).toBe(before);
      else {
        expect(severedPairIn(place.placements, pairs)).toBeUndefined();
        expect(place.placements.flatMap(({ slots: taken }) => taken)).toHaveLength(ranks);
        expect(free.among(undefined).total).toBe(before - ranks);
      }
    }),
  );
});
