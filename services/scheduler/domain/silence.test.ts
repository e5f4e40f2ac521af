import { describe, expect, it } from "vitest";
import { probeSucceeded, silenceMs, stoppedBusClock } from "./bus-clock.ts";
import { afterHeartbeat, REMEMBERED_INSTANCES } from "./heartbeat-order.ts";
import { nodeStateAfter } from "./node.ts";

const GAP = 400;

describe("the clock of silence", () => {
  it("does not run before the first good probe, nor after the last one is too old", () => {
    expect(silenceMs(stoppedBusClock, 0, 1000, GAP)).toBeUndefined();
    const clock = probeSucceeded(stoppedBusClock, 1000, GAP);
    expect(silenceMs(clock, 0, 1400, GAP)).toBe(400);
    expect(silenceMs(clock, 0, 1401, GAP)).toBeUndefined();
  });

  it("counts from the last heartbeat while probes succeed without a gap", () => {
    let clock = stoppedBusClock;
    for (let now = 0; now <= 3000; now += 200) clock = probeSucceeded(clock, now, GAP);
    expect(silenceMs(clock, 500, 3000, GAP)).toBe(2500);
    expect(silenceMs(clock, undefined, 3000, GAP)).toBe(3000);
  });

  it("starts again after a pause of the process, so that nobody is blamed for it", () => {
    let clock = probeSucceeded(stoppedBusClock, 0, GAP);
    clock = probeSucceeded(clock, 60_000, GAP);
    expect(silenceMs(clock, 0, 60_100, GAP)).toBe(100);
  });
});

describe("a node", () => {
  const limits = { suspectAfterMs: 3000, lostAfterMs: 5000 };
  it.each([
    ["ready", true, 100, "ready"],
    ["ready", false, 3000, "suspect"],
    ["suspect", false, 4999, "suspect"],
    ["suspect", false, 5000, "lost"],
    ["suspect", true, 10, "ready"],
    ["ready", false, undefined, "ready"],
    ["suspect", false, undefined, "suspect"],
    ["lost", false, 10, "lost"],
    ["lost", false, undefined, "lost"],
    ["lost", true, 10, "ready"],
  ] as const)("that is %s, heard %s and silent for %s is %s", (state, heard, silence, after) => {
    expect(nodeStateAfter(state, heard, silence, limits)).toBe(after);
  });
});

describe("heartbeats", () => {
  const first = afterHeartbeat(undefined, { agentInstance: "a", sequence: 5 });

  it("count when their sequence rises, and not again or when they were overtaken", () => {
    expect(afterHeartbeat(first, { agentInstance: "a", sequence: 6 })).toBeDefined();
    expect(afterHeartbeat(first, { agentInstance: "a", sequence: 5 })).toBeUndefined();
    expect(afterHeartbeat(first, { agentInstance: "a", sequence: 4 })).toBeUndefined();
  });

  it("of a replaced instance never count again, and only so many former ones are remembered", () => {
    let order = first;
    for (let index = 0; index < 3 * REMEMBERED_INSTANCES; index++) {
      order = afterHeartbeat(order, { agentInstance: `b${index}`, sequence: 1 }) ?? order;
    }
    expect(order?.retired).toHaveLength(REMEMBERED_INSTANCES);
    const second = afterHeartbeat(first, { agentInstance: "b", sequence: 1 });
    expect(afterHeartbeat(second, { agentInstance: "a", sequence: 99 })).toBeUndefined();
  });
});
