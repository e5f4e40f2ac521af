import { describe, expect, it } from "vitest";
import type { AgentLifecycle } from "./heartbeat.ts";
import {
  type DutyFacts,
  type DutyState,
  dutyTransitions,
  type NodeDuty,
  type NodeOrder,
  nextDuty,
  openDuty,
} from "./node-duty.ts";

const now = new Date("2026-01-01T00:10:00Z");
const before = new Date("2026-01-01T00:00:00Z");
const quiet: DutyFacts = {
  nodeId: "n1",
  order: undefined,
  lifecycle: "ready",
  drainWithinMs: undefined,
  busy: true,
};
const order = (wish: NodeOrder["wish"], revision = 1): NodeOrder => ({
  nodeId: "n1",
  wish,
  by: "user:ada",
  reason: "disk",
  at: now,
  drainMs: 60_000,
  revision,
});
const duty = (state: DutyState, more: Partial<NodeDuty> = {}): NodeDuty => ({
  ...openDuty(before),
  state,
  ...more,
});

describe("a node's duty", () => {
  it("stays the same value while nothing is ordered", () => {
    const open = openDuty(before);
    expect(nextDuty(open, quiet, now)).toBe(open);
  });

  it.each<[DutyState, NodeOrder["wish"], boolean, DutyState]>([
    ["open", "cordoned", true, "cordoned"],
    ["open", "drained", true, "draining"],
    ["open", "drained", false, "drained"],
    ["cordoned", "open", true, "open"],
    ["cordoned", "drained", true, "draining"],
    ["draining", "open", true, "open"],
    ["draining", "cordoned", true, "cordoned"],
    ["drained", "open", false, "open"],
    ["drained", "cordoned", false, "drained"],
    ["drained", "drained", false, "drained"],
  ])("that is %s and is wanted %s (busy: %s) becomes %s", (state, wish, busy, after) => {
    expect(nextDuty(duty(state), { ...quiet, order: order(wish), busy }, now)).toMatchObject({
      state: after,
      by: "user:ada",
      orderRevision: 1,
    });
  });

  it("is drained when nothing is alive there any more, and has a deadline only until then", () => {
    const draining = nextDuty(openDuty(before), { ...quiet, order: order("drained") }, now);
    expect(draining.deadlineAt).toEqual(new Date("2026-01-01T00:11:00Z"));
    const drained = nextDuty(draining, { ...quiet, order: order("drained"), busy: false }, now);
    expect(drained.state).toBe("drained");
    expect(drained.deadlineAt).toBeUndefined();
  });

  it("takes an order once: an uncordon is not undone by the order before it", () => {
    const open = nextDuty(duty("cordoned", { orderRevision: 1 }), { ...quiet, order: order("open", 2) }, now);
    expect(nextDuty(open, { ...quiet, order: order("cordoned", 1) }, now)).toBe(open);
  });

  it("follows an agent that is ending, and the next agent", () => {
    const ending = { ...quiet, lifecycle: "draining", drainWithinMs: 30_000 } as const;
    const draining = nextDuty(openDuty(before), ending, now);
    expect(draining).toMatchObject({
      state: "draining",
      by: "agent:n1",
      deadlineAt: new Date("2026-01-01T00:10:30Z"),
    });
    const drained = nextDuty(draining, { ...ending, busy: false }, now);
    expect(drained).toMatchObject({ state: "drained", by: "agent:n1" });
    expect(nextDuty(drained, { ...quiet, lifecycle: "stopped", busy: false }, now)).toBe(drained);
    expect(nextDuty(drained, { ...quiet, lifecycle: "registering", busy: false }, now).state).toBe("open");
  });

  it("outlives the agent when an operator ordered it", () => {
    for (const state of ["cordoned", "drained"] as const) {
      const ordered = duty(state, { by: "user:ada", orderRevision: 1 });
      for (const lifecycle of ["registering", "ready", "stopped", undefined] as const)
        expect(nextDuty(ordered, { ...quiet, lifecycle, busy: false }, now)).toBe(ordered);
    }
  });

  it("never makes a move that is not in its table, whatever comes in whatever order (seeded)", () => {
    const seed = 20260101;
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    const lifecycles: (AgentLifecycle | undefined)[] = [
      "registering",
      "ready",
      "draining",
      "drained",
      "stopped",
      undefined,
    ];
    let current = openDuty(before);
    let revision = 0;
    let given: NodeOrder | undefined;
    for (let step = 0; step < 5_000; step++) {
      if (random(4) === 0)
        given = order((["open", "cordoned", "drained"] as const)[random(3)] ?? "open", ++revision);
      const lifecycle = lifecycles[random(6)];
      const drainWithinMs = lifecycle === "draining" && random(2) === 0 ? 1_000 : undefined;
      const next = nextDuty(
        current,
        { ...quiet, order: given, lifecycle, drainWithinMs, busy: random(2) === 0 },
        now,
      );
      if (next.state !== current.state) {
        // Through draining to drained may happen in one look.
        const direct = dutyTransitions[current.state].includes(next.state);
        const through = next.state === "drained" && dutyTransitions[current.state].includes("draining");
        expect(direct || through, `seed ${seed}, step ${step}: ${current.state} to ${next.state}`).toBe(true);
      }
      expect(next.orderRevision).toBeGreaterThanOrEqual(current.orderRevision);
      if (next.state === "draining") expect(next.deadlineAt).toBeDefined();
      current = next;
    }
  });
});
