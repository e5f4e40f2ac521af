import { describe, expect, it } from "vitest";
import { type Checkpoint, checkpointDigest, isWhole, samePart, withPart } from "./checkpoint.ts";
import { checkpointsToPrune } from "./checkpoint-retention.ts";
import { chooseResume } from "./resume-point.ts";
import { openStatus } from "./run-status.ts";

const checkpoint = (attempt: number, step: number, changes: Partial<Checkpoint> = {}): Checkpoint => ({
  id: `ckpt_${attempt}_${step}`,
  runId: "run_1",
  attempt,
  step,
  kind: "periodic",
  worldSize: 1,
  state: "committed",
  parts: [{ rank: 0, files: [], recordsOffset: step * 10 }],
  metrics: [],
  createdAt: new Date(0),
  ...changes,
});

const file = (path: string, digest: string) => ({ path, digest, sizeBytes: 1 });

describe("a checkpoint", () => {
  it("is whole with the last rank's part, in whatever order they come", () => {
    const empty = checkpoint(1, 5, { worldSize: 2, parts: [], state: "collecting" });
    const one = withPart(empty, { rank: 1, files: [], recordsOffset: 1 }, []);
    expect(isWhole(one)).toBe(false);
    const both = withPart(one, { rank: 0, files: [], recordsOffset: 2 }, []);
    expect(isWhole(both)).toBe(true);
    expect(both.parts.map(({ rank }) => rank)).toEqual([0, 1]);
  });

  it("has the same digest for the same content, whatever the order, and another for another rank", () => {
    const part = (rank: number, ...files: ReturnType<typeof file>[]) => ({ rank, files, recordsOffset: 0 });
    const a = checkpointDigest([part(0, file("x", "1"), file("y", "2"))]);
    expect(checkpointDigest([part(0, file("y", "2"), file("x", "1"))])).toBe(a);
    expect(checkpointDigest([part(1, file("x", "1"), file("y", "2"))])).not.toBe(a);
  });

  it("tells a part that differs in one digest or in its offset", () => {
    const part = { rank: 0, files: [file("x", "1")], recordsOffset: 7 };
    expect(samePart(part, { ...part, files: [file("x", "1")] })).toBe(true);
    expect(samePart(part, { ...part, files: [file("x", "2")] })).toBe(false);
    expect(samePart(part, { ...part, recordsOffset: 8 })).toBe(false);
  });
});

describe("the checkpoint to resume from", () => {
  it("is the one of the highest step", () => {
    expect(chooseResume([{ number: 1 }], [checkpoint(1, 5), checkpoint(1, 10)])?.step).toBe(10);
  });

  it("is of the newest attempt among equal steps", () => {
    const attempts = [
      { number: 1 },
      {
        number: 2,
        resumedFrom: { checkpointId: "ckpt_1_5", attempt: 1, step: 5, offsets: [{ rank: 0, offset: 50 }] },
      },
    ];
    expect(chooseResume(attempts, [checkpoint(1, 5), checkpoint(2, 5)])?.attempt).toBe(2);
  });

  it("is none that is not committed, or pruned", () => {
    const checkpoints = [checkpoint(1, 5, { state: "collecting" }), checkpoint(1, 6, { state: "pruned" })];
    expect(chooseResume([{ number: 1 }], checkpoints)).toBeUndefined();
  });

  it("is none outside the visible history", () => {
    expect(chooseResume([{ number: 1 }, { number: 2 }], [checkpoint(1, 5)])).toBeUndefined();
  });
});

describe("keeping checkpoints", () => {
  it("lets go of all but the newest, and keeps the one that the current attempt resumed from", () => {
    const all = [checkpoint(1, 1), checkpoint(1, 2), checkpoint(1, 3), checkpoint(1, 4)];
    expect(checkpointsToPrune(all, { newest: 2 }, "ckpt_1_1").map(({ step }) => step)).toEqual([2]);
    expect(checkpointsToPrune(all, { newest: 2 }, undefined).map(({ step }) => step)).toEqual([2, 1]);
  });

  it("keeps the best by a metric beside the newest, of equal ones the newer; one without the metric is never the best", () => {
    const at = (step: number, loss?: number) =>
      checkpoint(1, step, { metrics: loss === undefined ? [] : [{ key: "loss", value: loss }] });
    const all = [at(1, 0.5), at(2, 0.2), at(3), at(4, 0.2), at(5, Number.NaN), at(6, 0.9)];
    const pruned = (mode: "min" | "max", keep: number) =>
      checkpointsToPrune(all, { newest: 1, best: { metric: "loss", mode, keep } }, undefined).map(
        ({ step }) => step,
      );
    expect(pruned("min", 1)).toEqual([5, 3, 2, 1]);
    expect(pruned("min", 2)).toEqual([5, 3, 1]);
    expect(pruned("max", 2)).toEqual([5, 4, 3, 2]);
  });

  it("keeps what another run starts from", () => {
    const all = [checkpoint(1, 1, { heldBy: ["run_2"] }), checkpoint(1, 2), checkpoint(1, 3)];
    expect(checkpointsToPrune(all, { newest: 1 }, undefined).map(({ step }) => step)).toEqual([2]);
  });
});

describe("the status of a run that has not ended", () => {
  it.each([
    ["waits before its first attempt", [], [], "queued"],
    ["runs while an attempt does", [1], [], "running"],
    ["waits between two attempts", [1], [1], "queued"],
    ["runs in its second attempt, though the end of the first is told late", [2, 1], [], "running"],
    ["waits when the end of an attempt is told before its start", [1], [1], "queued"],
  ] as const)("%s", (_, started, ended, status) => {
    expect(openStatus({ started, ended })).toBe(status);
  });
});
