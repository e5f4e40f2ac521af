import { create } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import { repeatSpec } from "./repeat-spec.ts";

const own = {
  name: "digits",
  ranks: 4,
  seed: 7n,
  nondeterministic: true,
  entrypoint: ["train.py"],
  code: { digest: "c".repeat(64), gitCommit: "abc", dirtyDiffDigest: "d".repeat(64) },
  params: { lr: 0.1 },
  env: { A: "1" },
  labels: { team: "x" },
  dataset: { name: "digits", version: "latest" },
  startFrom: { runId: "run_a", step: 5n, checkpointId: "ckpt_a" },
};
const runOf = (minRanks = 0) =>
  create(tracking.RunSchema, {
    id: "run_1",
    jobId: "job_1",
    dataset: create(scheduler.ResolvedDatasetSchema, {
      name: "digits",
      version: "1.2.0",
      schemaHash: "e".repeat(64),
    }),
    spec: create(scheduler.JobSpecSchema, { ...own, minRanks, model: { name: "digits", suite: "suite" } }),
  });
const jobOf = (...sizes: readonly number[]) =>
  create(scheduler.JobSchema, { attempts: sizes.map((worldSize) => ({ worldSize })) });

describe("the spec of a reproduction", () => {
  it("is the run's own, with the dataset version it was given, and registers no model", () => {
    const run = runOf();
    const repeated = repeatSpec(run, jobOf(4));
    expect(repeated).toMatchObject({
      ...own,
      dataset: { name: "digits", version: "1.2.0", schemaHash: "e".repeat(64) },
      labels: { team: "x", "trainyard.reproduces": "run_1" },
    });
    expect(repeated.model).toBeUndefined();
    expect(run.spec?.model?.name).toBe("digits");
    expect(run.spec?.labels).toEqual({ team: "x" });
  });

  it("of an elastic job has the ranks that it ran on, and no fewer", () => {
    expect(repeatSpec(runOf(1), jobOf(2, 2))).toMatchObject({ ranks: 2, minRanks: 0 });
    expect(repeatSpec(runOf(), jobOf())).toMatchObject({ ranks: 4 });
    expect(() => repeatSpec(runOf(1), jobOf(4, 2))).toThrow("4, then 2 ranks");
  });

  it("is none for a run that no job made", () => {
    const run = create(tracking.RunSchema, { id: "run_1" });
    expect(() => repeatSpec(run, jobOf())).toThrow("logged from outside");
  });
});
