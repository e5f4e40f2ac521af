import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Placement } from "./attempt.ts";
import { decide } from "./decide.ts";
import { nodesFor } from "./gang-shape.ts";
import type { NodeCapacity, Snapshot, WaitingJob } from "./snapshot.ts";
import { compareWaiting } from "./waiting-order.ts";

const node = (id: string, slots: number, more: Partial<NodeCapacity> = {}): NodeCapacity => ({
  id,
  slots,
  slotKind: "cpu",
  usable: true,
  present: true,
  ...more,
});

const job = (id: string, ranks: number, more: Partial<WaitingJob> = {}): WaitingJob => ({
  id,
  queue: "default",
  priority: "normal",
  createdAtMs: 0,
  ranks,
  slotsPerRank: 1,
  ...more,
});

const snapshot = (
  nodes: readonly NodeCapacity[],
  waiting: readonly WaitingJob[],
  held: readonly Placement[] = [],
): Snapshot => ({ nodes, waiting, held });

const admitted = (input: Snapshot, now = 1000) => decide(input, now).admissions.map(({ jobId }) => jobId);
const reasons = (input: Snapshot, now = 1000) =>
  decide(input, now).explanations.map(({ jobId, pending }) => [jobId, pending.reason]);

describe("decide", () => {
  it("does not admit a gang when one rank cannot fit", () => {
    const input = snapshot(
      [node("n1", 2), node("n2", 1)],
      [job("j1", 3)],
      [{ nodeId: "n2", ranks: [0], slots: [0] }],
    );
    const decision = decide(input, 0);
    expect(decision.admissions).toEqual([]);
    expect(decision.explanations[0]?.pending).toMatchObject({
      reason: "not-enough-slots",
      message: "The gang needs 3 slots (3 ranks of 1); 2 of 3 are free.",
      slotsNeeded: 3,
      slotsFree: 2,
      position: 0,
    });
  });

  it("puts a gang on one node when one can hold it, and on the fullest such node", () => {
    const input = snapshot([node("big", 8), node("fit", 2), node("tiny", 1)], [job("j1", 2)]);
    expect(decide(input, 0).admissions[0]?.placements).toEqual([
      { nodeId: "fit", ranks: [0, 1], slots: [0, 1] },
    ]);
  });

  it("spreads a gang over the fewest nodes, ranks ascending and slots grouped by rank", () => {
    const nodes = [node("a", 2), node("b", 4), node("c", 2), node("d", 1)];
    expect(decide(snapshot(nodes, [job("j1", 3, { slotsPerRank: 2 })]), 0).admissions[0]?.placements).toEqual(
      [
        { nodeId: "b", ranks: [0, 1], slots: [0, 1, 2, 3] },
        { nodeId: "a", ranks: [2], slots: [0, 1] },
      ],
    );
  });

  it("says that the slots are fragmented when enough are free, but not on one node", () => {
    const nodes = [node("a", 2), node("b", 2)];
    const held = [
      { nodeId: "a", ranks: [0], slots: [1] },
      { nodeId: "b", ranks: [0], slots: [0] },
    ];
    expect(reasons(snapshot(nodes, [job("j1", 1, { slotsPerRank: 2 })], held))).toEqual([
      ["j1", "fragmented"],
    ]);
  });

  it("admits by priority class, then by time, then by id", () => {
    const line = [
      job("low", 1, { priority: "low" }),
      job("late", 1, { createdAtMs: 9 }),
      job("b", 1),
      job("a", 1),
      job("urgent", 1, { priority: "high", createdAtMs: 99 }),
    ];
    expect(admitted(snapshot([node("n", 5)], line))).toEqual(["urgent", "a", "b", "late", "low"]);
  });

  it("lets no later job pass one that waits for slots, and says behind whom it waits", () => {
    const input = snapshot(
      [node("n", 2)],
      [job("small", 1, { createdAtMs: 2 }), job("gang", 2, { createdAtMs: 1 })],
      [{ nodeId: "n", ranks: [0], slots: [0] }],
    );
    const decision = decide(input, 0);
    expect(decision.admissions).toEqual([]);
    expect(decision.explanations[1]?.pending).toMatchObject({
      reason: "behind-another-job",
      behindJobId: "gang",
      position: 1,
    });
  });

  it("lets others pass a job that the present fleet could not run even empty", () => {
    const line = [job("huge", 9, { createdAtMs: 1 }), job("small", 1, { createdAtMs: 2 })];
    const input = snapshot([node("n", 2), node("gone", 64, { present: false, usable: false })], line);
    expect(admitted(input)).toEqual(["small"]);
    expect(reasons(input)).toEqual([["huge", "not-enough-slots"]]);
  });

  it("lets others pass a job in back-off, which is first again once the back-off has passed", () => {
    const line = [
      job("retried", 1, { createdAtMs: 1, notBeforeMs: 500 }),
      job("later", 1, { createdAtMs: 2 }),
    ];
    const input = snapshot([node("n", 1)], line);
    expect(admitted(input, 499)).toEqual(["later"]);
    expect(reasons(input, 499)).toEqual([["retried", "retry-backoff"]]);
    expect(admitted(input, 500)).toEqual(["retried"]);
  });

  it("places nothing on a node that is not usable, and holds the line for it while it is present", () => {
    const input = snapshot([node("n", 2, { usable: false }), node("m", 1)], [job("two", 2), job("z-one", 1)]);
    expect(admitted(input)).toEqual([]);
    expect(reasons(input)).toEqual([
      ["two", "not-enough-slots"],
      ["z-one", "behind-another-job"],
    ]);
  });

  it("says that no node has joined yet", () => {
    expect(decide(snapshot([], [job("j", 2)]), 0).explanations[0]?.pending.message).toContain(
      "No node has joined yet",
    );
  });

  it("places a gang that asks for a kind of slots on such nodes only, and makes nobody wait who asks for another", () => {
    const nodes = [node("c", 2), node("t", 2, { slotKind: "tpu" })];
    const line = [
      job("a-tpu", 3, { slotKind: "tpu", minRanks: 2 }),
      job("b-tpu", 1, { slotKind: "tpu" }),
      job("c-cpu", 1, { slotKind: "cpu" }),
      job("d-any", 1),
      job("d-any-more", 1),
      job("e-gpu", 1, { slotKind: "gpu" }),
      job("f-cpu", 1, { slotKind: "cpu" }),
    ];
    const { admissions, explanations } = decide(snapshot(nodes, line), 0);
    expect(admissions.map(({ jobId, placements }) => [jobId, placements[0]?.nodeId])).toEqual([
      ["a-tpu", "t"],
      ["c-cpu", "c"],
      ["d-any", "c"],
    ]);
    expect(explanations.map(({ pending }) => [pending.reason, pending.message])).toEqual([
      ["not-enough-slots", "The gang needs 1 tpu slot; 0 of 2 are free."],
      ["behind-another-job", "Waits behind b-tpu (normal priority), which needs 1 tpu slot; 0 free."],
      ["not-enough-slots", "No node with slots of kind gpu has joined yet; the gang needs 1 gpu slot."],
      ["behind-another-job", "Waits behind d-any-more (normal priority), which needs 1 slot; 0 free."],
    ]);
  });

  it("counts positions per queue", () => {
    const line = [job("a", 1, { queue: "q1" }), job("b", 1, { queue: "q2" }), job("c", 1, { queue: "q1" })];
    expect(decide(snapshot([], line), 0).explanations.map(({ pending }) => pending.position)).toEqual([
      0, 0, 1,
    ]);
  });
});

const nodeId = (index: number) => `n${String(index).padStart(3, "0")}`;
const anyNodes = fc.array(
  fc.record({
    slots: fc.nat({ max: 8 }),
    slotKind: fc.constantFrom("cpu", "gpu"),
    usable: fc.boolean(),
    present: fc.boolean(),
  }),
  { maxLength: 8 },
);
const anyJobs = fc.array(
  fc.record({
    queue: fc.constantFrom("a", "b"),
    priority: fc.constantFrom("high", "normal", "low") as fc.Arbitrary<WaitingJob["priority"]>,
    createdAtMs: fc.nat({ max: 3 }),
    ranks: fc.integer({ min: 1, max: 6 }),
    slotsPerRank: fc.integer({ min: 1, max: 3 }),
    notBeforeMs: fc.constantFrom(0, 2000),
    kind: fc.constantFrom({}, {}, { slotKind: "gpu" }, { slotKind: "cpu" }, { slotKind: "tpu" }),
  }),
  { maxLength: 12 },
);
const anySnapshot = fc
  .record({ nodes: anyNodes, jobs: anyJobs, taken: fc.infiniteStream(fc.nat({ max: 3 })) })
  .map(({ nodes, jobs, taken }): Snapshot => {
    const fleet = nodes.map((each, index) => ({
      ...each,
      id: nodeId(index),
      usable: each.usable && each.present,
    }));
    const held = fleet.flatMap(({ id, slots }) =>
      Array.from({ length: slots }, (_, slot) => slot)
        .filter(() => taken.next().value === 0)
        .map((slot) => ({ nodeId: id, ranks: [0], slots: [slot] })),
    );
    return {
      nodes: fleet,
      waiting: jobs.map(({ kind, ...each }, index) => ({ ...each, ...kind, id: `job_${index}` })),
      held,
    };
  });

const seed = Number(process.env.TRAINYARD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const holds = (property: fc.IProperty<[Snapshot]>) => fc.assert(property, { seed, numRuns: 400 });

describe(`for any snapshot (TRAINYARD_TEST_SEED=${seed})`, () => {
  it("gives no slot twice, only slots that exist, and only on usable nodes", () => {
    holds(
      fc.property(anySnapshot, (input) => {
        const placements = [
          ...input.held,
          ...decide(input, 1000).admissions.flatMap((each) => each.placements),
        ];
        const slots = placements.flatMap(({ nodeId: id, slots: own }) => own.map((slot) => `${id}/${slot}`));
        expect(new Set(slots).size).toBe(slots.length);
        for (const { jobId, placements: own } of decide(input, 1000).admissions) {
          for (const { nodeId: id, slots: taken } of own) {
            const host = input.nodes.find((each) => each.id === id);
            expect(host?.usable).toBe(true);
            const asked = input.waiting.find(({ id: other }) => other === jobId)?.slotKind;
            expect([undefined, host?.slotKind]).toContain(asked);
            expect(Math.max(...taken)).toBeLessThan(host?.slots ?? 0);
          }
        }
      }),
    );
  });

  it("admits gangs whole, every rank's slots on one node", () => {
    holds(
      fc.property(anySnapshot, (input) => {
        for (const { jobId, placements } of decide(input, 1000).admissions) {
          const asked = input.waiting.find(({ id }) => id === jobId);
          const ranks = placements.flatMap((each) => each.ranks);
          expect(ranks).toEqual(Array.from({ length: asked?.ranks ?? 0 }, (_, rank) => rank));
          for (const each of placements) {
            expect(each.slots.length).toBe(each.ranks.length * (asked?.slotsPerRank ?? 0));
          }
          expect(new Set(placements.map((each) => each.nodeId)).size).toBe(placements.length);
        }
      }),
    );
  });

  it("says something of each waiting job exactly once", () => {
    holds(
      fc.property(anySnapshot, (input) => {
        const { admissions, explanations } = decide(input, 1000);
        const told = [...admissions, ...explanations].map(({ jobId }) => jobId).sort();
        expect(told).toEqual(input.waiting.map(({ id }) => id).sort());
      }),
    );
  });

  it("decides the same again, whatever the order of the lists", () => {
    holds(
      fc.property(anySnapshot, (input) => {
        const turned = {
          nodes: [...input.nodes].reverse(),
          waiting: [...input.waiting.slice(2), ...input.waiting.slice(0, 2)].reverse(),
          held: [...input.held].reverse(),
        };
        expect(decide(turned, 1000)).toEqual(decide(input, 1000));
      }),
    );
  });

  it("respects the order: whoever is passed is in back-off or too large for the present fleet", () => {
    holds(
      fc.property(anySnapshot, (input) => {
        const { admissions } = decide(input, 1000);
        const won = new Set(admissions.map(({ jobId }) => jobId));
        const line = [...input.waiting].sort(compareWaiting);
        const lastAdmitted = line.findLastIndex(({ id }) => won.has(id));
        for (const passed of line.slice(0, Math.max(0, lastAdmitted)).filter(({ id }) => !won.has(id))) {
          const after = line.slice(line.indexOf(passed) + 1).map(({ id }) => id);
          const own = new Set(nodesFor(input.nodes, passed).map(({ id }) => id));
          const taken = admissions.filter(({ jobId }) => after.includes(jobId));
          if (!taken.some(({ placements }) => placements.some((one) => own.has(one.nodeId)))) continue;
          const capacity = nodesFor(input.nodes, passed)
            .filter((each) => each.present)
            .reduce((sum, each) => sum + Math.floor(each.slots / passed.slotsPerRank), 0);
          expect((passed.notBeforeMs ?? 0) > 1000 || capacity < passed.ranks).toBe(true);
        }
      }),
    );
  });

  it("leaves the head of the line waiting only when it does not fit", () => {
    holds(
      fc.property(anySnapshot, (input) => {
        const { admissions, explanations } = decide(input, 1000);
        const heads = explanations.filter(({ pending }) =>
          ["not-enough-slots", "fragmented"].includes(pending.reason),
        );
        const held = [...input.held, ...admissions.flatMap((each) => each.placements)];
        for (const job of input.waiting.filter(({ id }) => heads.some(({ jobId }) => jobId === id))) {
          const capacity = nodesFor(input.nodes, job)
            .filter((each) => each.usable)
            .map(
              (each) =>
                each.slots - held.filter((own) => own.nodeId === each.id).flatMap((own) => own.slots).length,
            )
            .reduce((sum, free) => sum + Math.floor(free / job.slotsPerRank), 0);
          expect(capacity).toBeLessThan(job.ranks);
        }
      }),
    );
  });
});
