import { describe, expect, it } from "vitest";
import type { RankReport } from "./attempt.ts";
import { hangLimitMs, LEAST_SILENCE_MS, type Pace, paceAfter, stepAhead } from "./pace.ts";

const rank = (lastStep: number, more: Partial<RankReport> = {}): RankReport => ({
  rank: 0,
  lastStep,
  ...more,
});

/** The pace after looks each second at these steps. */
function watch(steps: readonly number[], counts: (second: number) => boolean = () => true): Pace | undefined {
  let pace: Pace | undefined;
  for (const [second, step] of steps.entries())
    pace = paceAfter(pace, [rank(step)], counts(second), second * 1000);
  return pace;
}
const stuckAt = (step: number, seconds: number) => Array.from({ length: seconds }, () => step);

describe("the pace of a gang", () => {
  it("is not spoken of before the first step: loading and compiling take what they take", () => {
    expect(watch(stuckAt(-1, 5_000))).toBeUndefined();
  });

  it("counts the time without a step, and begins anew with each", () => {
    expect(watch([0, 1, 2, 2, 2, 2])?.silentMs).toBe(3_000);
    expect(watch([0, 1, 2, 2, 2, 3])?.silentMs).toBe(0);
  });

  it("takes a stored checkpoint for a sign of life", () => {
    let pace = watch([5, 6, 6, 6]);
    pace = paceAfter(pace, [rank(6, { checkpointStep: 6 })], true, 4_000);
    expect(pace?.silentMs).toBe(0);
  });

  it("does not count time in which no step could be seen, nor a pause of the scheduler", () => {
    expect(watch([0, 1, 1, 1, 1, 1], (second) => second > 3)?.silentMs).toBe(2_000);
    const paused = paceAfter(watch([0, 1, 1]), [rank(1)], true, 3_600_000);
    expect(paused?.silentMs).toBeLessThanOrEqual(6_000);
  });

  it("goes on while any rank makes steps, for not every gang goes in step", () => {
    let pace: Pace | undefined;
    for (let second = 0; second < 100; second++) {
      pace = paceAfter(pace, [rank(7), { rank: 1, lastStep: second }], true, second * 1000);
    }
    expect(pace?.silentMs).toBe(0);
  });

  it("leaves the first gap out, which may hold a compilation", () => {
    const pace = watch([0, ...stuckAt(0, 50), 1, 2, 3, 4]);
    expect(Math.max(...(pace?.gapsMs ?? []))).toBe(1_000);
  });
});

describe("when a gang counts as hung", () => {
  const steady = watch([0, 1, 2, 3, 4, 5]) as Pace;

  it.each([
    ["its policy is off", { off: true, afterSeconds: 3 }, undefined],
    ["its job set a time", { off: false, afterSeconds: 3 }, 3_000],
    ["nothing is set: its own pace, and never less than the floor", undefined, LEAST_SILENCE_MS],
  ])("when %s", (_when, policy, limit) => {
    expect(hangLimitMs(steady, policy)).toBe(limit);
  });

  it("is later for slow steps, and for a gang that once paused long", () => {
    const slow = { ...steady, gapsMs: [60_000, 60_000, 60_000] };
    expect(hangLimitMs(slow, undefined)).toBe(30 * 60_000);
    expect(hangLimitMs({ ...steady, gapsMs: [1_000, 1_000, 400_000] }, undefined)).toBe(1_200_000);
  });

  it("is not known while too few steps were seen", () => {
    expect(hangLimitMs(watch([0, 1, 2]) as Pace, undefined)).toBeUndefined();
  });
});

describe("a step ahead of every rank", () => {
  it.each<[string, readonly number[], number]>([
    ["one step a second", [0, 1, 2, 3, 4], 4 + 3 + 4],
    ["a hundred a second", [0, 100, 200, 300], 300 + 3 + 400],
    ["standing still", [5, 5, 5], 5 + 3],
  ])("leaves the order time to arrive: %s", (_what, steps, ahead) => {
    expect(stepAhead(watch(steps), (steps.length - 1) * 1000)).toBe(ahead);
  });

  it("is not known of a gang that tells no steps", () => {
    expect(stepAhead(undefined, 5_000)).toBe(-1);
  });
});
