import { describe, expect, it } from "vitest";
import type { Attempt, RankReport, Yielding } from "./attempt.ts";
import { whyGiveWay } from "./give-way.ts";
import { mayGrow, type RunningElastic } from "./grow.ts";
import { type Idleness, idlenessAfter } from "./idleness.ts";
import type { Job } from "./job.ts";
import { observe } from "./observe.ts";
import type { PartView } from "./part-view.ts";

const t0 = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(t0 + seconds * 1000);
const placements = [
  { nodeId: "n1", ranks: [0], slots: [0] },
  { nodeId: "n2", ranks: [1], slots: [0] },
];
const attempt: Attempt = {
  number: 1,
  state: "running",
  placements,
  admittedAt: at(0),
  ranksStartedAt: at(1),
  firstStepAt: at(1),
  endedParts: [],
};
const calm = { nodes: [], growTo: undefined, idleSince: undefined, stepAhead: 20 };
const draining = {
  id: "n2",
  duty: {
    state: "draining",
    by: "user:ada",
    reason: "disk",
    at: at(0),
    deadlineAt: at(100),
    orderRevision: 1,
  },
} as const;

describe("a gang gives way", () => {
  it.each([
    ["not while nothing is wrong", {}, calm, undefined],
    [
      "to a drain, with a checkpoint before the deadline",
      {},
      { ...calm, nodes: [draining] },
      { cause: "drain", checkpointStep: 20, deadlineAt: at(100) },
    ],
    [
      "to a drain at once when it tells no steps",
      {},
      { ...calm, nodes: [draining], stepAhead: -1 },
      { cause: "drain", checkpointStep: -1, deadlineAt: at(50) },
    ],
    [
      "not to a cordon",
      {},
      { ...calm, nodes: [{ id: "n2", duty: { ...draining.duty, state: "cordoned" } }] } as const,
      undefined,
    ],
    ["to grow", {}, { ...calm, growTo: 4 }, { cause: "grow", checkpointStep: 20 }],
    [
      "not to grow when it cannot be asked for a checkpoint",
      {},
      { ...calm, growTo: 4, stepAhead: -1 },
      undefined,
    ],
    ["not for idleness that is only reported", {}, { ...calm, idleSince: at(0) }, undefined],
    [
      "when idle, after a checkpoint",
      { idle: { afterSeconds: 9, action: "checkpoint" } } as const,
      { ...calm, idleSince: at(0) },
      { cause: "idle", deadlineAt: at(110) },
    ],
    [
      "when idle, at once",
      { idle: { afterSeconds: 9, action: "release" } } as const,
      { ...calm, idleSince: at(0) },
      { cause: "idle", deadlineAt: at(50) },
    ],
    ["to a drain before anything else", {}, { ...calm, growTo: 4, nodes: [draining] }, { cause: "drain" }],
  ])("%s", (_what, spec, reasons, expected) => {
    const found = whyGiveWay({ ranks: 4, ...spec }, attempt, reasons, at(50));
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });

  const asked: Yielding = {
    cause: "drain",
    checkpointStep: 20,
    askedAt: at(50),
    deadlineAt: at(100),
    why: "",
  };
  const running = (checkpointStep?: number, rank = 0): RankReport => ({
    rank,
    lastStep: 21,
    startedAt: at(1),
    ...(checkpointStep === undefined ? {} : { checkpointStep }),
  });
  const seen = (first: RankReport, second: RankReport): ReadonlyMap<string, PartView> =>
    new Map([
      ["n1", { kind: "alive", ranks: [first] }],
      ["n2", { kind: "alive", ranks: [second] }],
    ]);
  const job = (yielding?: Yielding) =>
    ({
      spec: { ranks: 2, timeoutSeconds: 0 },
      attempts: [{ ...attempt, ...(yielding === undefined ? {} : { yielding }) }],
    }) as unknown as Job;

  it.each<[string, ReadonlyMap<string, PartView>, number, boolean]>([
    ["no rank has it", seen(running(), running(undefined, 1)), 60, false],
    ["one rank has it", seen(running(20), running(undefined, 1)), 60, false],
    ["an older one is there", seen(running(10), running(10, 1)), 60, false],
    ["every rank has it", seen(running(20), running(20, 1)), 60, true],
    ["a later one is there too", seen(running(30), running(20, 1)), 60, true],
    ["its time is up", seen(running(), running(undefined, 1)), 100, true],
  ])("and is stopped once its checkpoint is stored, or its time is up: %s", (_when, views, second, stops) => {
    const step = observe(job(asked), views, at(second), { giveWay: asked });
    if (stops) expect(step).toMatchObject({ kind: "stop", cause: "yield" });
    else expect(step).toBeUndefined();
  });

  it("is never stopped to grow without a checkpoint, nor when the slots are gone again", () => {
    const grow: Yielding = { ...asked, cause: "grow" };
    const none = seen(running(), running(undefined, 1));
    expect(observe(job(grow), none, at(5_000), { giveWay: grow })).toBeUndefined();
    const stored = seen(running(20), running(20, 1));
    expect(observe(job(grow), stored, at(60), {})).toBeUndefined();
    expect(observe(job(grow), stored, at(60), { giveWay: grow })).toMatchObject({
      kind: "stop",
      cause: "yield",
    });
  });

  it("to a drain although it was asked to grow, and keeps the step that it was asked for", () => {
    const grow: Yielding = { ...asked, cause: "grow", deadlineAt: at(600) };
    const later: Yielding = { ...asked, checkpointStep: 40 };
    expect(
      observe(job(grow), seen(running(), running(undefined, 1)), at(60), { giveWay: later }),
    ).toMatchObject({
      kind: "yield",
      yielding: { cause: "drain", checkpointStep: 20, deadlineAt: at(100) },
    });
  });

  it("is found hung only after its stacks were taken, and is then stopped", () => {
    const hung = { rank: 1, step: 21, silentMs: 9_000, limitMs: 3_000, stack: "" };
    expect(observe(job(), seen(running(), running(undefined, 1)), at(60), { hung })).toMatchObject({
      kind: "stop",
      cause: "hung",
      hung,
    });
  });

  it("is stopped at once when a watched metric was NaN", () => {
    const nonFinite = { key: "loss", step: 21, rank: 1, value: "NaN" };
    const views = new Map<string, PartView>([
      ["n1", { kind: "alive", ranks: [running()] }],
      ["n2", { kind: "alive", ranks: [running(undefined, 1)], nonFinite }],
    ]);
    expect(observe(job(), views, at(60))).toMatchObject({ kind: "stop", cause: "non-finite" });
  });
});

describe("an elastic gang grows", () => {
  const node = (id: string, slots: number, more: object = {}) => ({
    id,
    slots,
    slotKind: "cpu",
    usable: true,
    present: true,
    ...more,
  });
  const gang = (jobId: string, more: Partial<RunningElastic> = {}): RunningElastic => ({
    jobId,
    createdAtMs: 1,
    ranks: 2,
    mostRanks: 4,
    slotsPerRank: 1,
    sinceMs: 0,
    ...more,
  });
  const held = [{ nodeId: "n1", ranks: [0, 1], slots: [0, 1] }];
  const fleet = { nodes: [node("n1", 2), node("n2", 3)], held, waiting: 0 };

  it.each<[string, readonly RunningElastic[], typeof fleet, number, object | undefined]>([
    ["to as many ranks as fit, up to its most", [gang("a")], fleet, 60_000, { jobId: "a", ranks: 4 }],
    [
      "by one when one fits",
      [gang("a")],
      { ...fleet, nodes: [node("n1", 2), node("n2", 1)] },
      60_000,
      { jobId: "a", ranks: 3 },
    ],
    ["not while anyone waits", [gang("a")], { ...fleet, waiting: 1 }, 60_000, undefined],
    ["not soon after its start", [gang("a")], fleet, 59_999, undefined],
    ["not beyond its most", [gang("a", { ranks: 4 })], fleet, 60_000, undefined],
    [
      "not onto a node that is kept from new work",
      [gang("a")],
      { ...fleet, nodes: [node("n1", 2), node("n2", 3, { withheld: "is cordoned" })] },
      60_000,
      undefined,
    ],
    ["not onto slots too small for a rank", [gang("a", { slotsPerRank: 4 })], fleet, 60_000, undefined],
    [
      "one at a time, the oldest first",
      [gang("b", { createdAtMs: 2 }), gang("a")],
      fleet,
      60_000,
      { jobId: "a", ranks: 4 },
    ],
  ])("%s", (_what, running, world, nowMs, expected) => {
    expect(mayGrow(running, world, nowMs, 60_000)).toEqual(expected);
  });
});

describe("a gang is idle", () => {
  const alive = (busyPercent: number | undefined, lastStep = 5): RankReport => ({
    rank: 0,
    lastStep,
    startedAt: at(0),
    ...(busyPercent === undefined ? {} : { busyPercent }),
  });
  /** Looks each second for twenty. */
  function watch(look: (second: number) => readonly RankReport[], heard = true): Idleness | undefined {
    let state: Idleness | undefined;
    for (let second = 0; second <= 20; second++)
      state = idlenessAfter(state, look(second), heard, second * 1000, at(second));
    return state;
  }

  it.each<[string, (second: number) => readonly RankReport[], boolean]>([
    ["it uses nothing and makes no step", () => [alive(0)], true],
    ["it holds slots and no rank was started", () => [], true],
    ["its ranks only run their timers", () => [alive(1.2), alive(0.4)], true],
    ["one of its ranks works", () => [alive(0), alive(80)], false],
    ["it makes steps, whatever it uses", (second) => [alive(0, second)], false],
    ["nobody tells what it uses", () => [alive(undefined)], false],
  ])("or not when %s", (_when, look, idle) => {
    expect(watch(look)?.idleSince).toEqual(idle ? at(0) : at(20));
  });

  it("not as far as known while its nodes are not heard", () => {
    expect(watch(() => [alive(0)], false)?.idleSince).toEqual(at(20));
  });
});
