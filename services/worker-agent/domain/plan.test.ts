import { describe, expect, it } from "vitest";
import type { Assignment } from "./assignment.ts";
import type { AttemptPhase } from "./attempt-phase.ts";
import { type Action, plan } from "./plan.ts";

const assignment = (action: "run" | "stop"): Assignment => ({
  jobId: "job_1",
  runId: "run_1",
  project: "p",
  attempt: 2,
  action,
  worldSize: 1,
  ranks: [{ rank: 0, localRank: 0, slots: [0] }],
  groupRank: 0,
  groupCount: 1,
  groupNodes: ["n1"],
  work: {
    codeDigest: "",
    entrypoint: ["train.py"],
    paramsJson: "{}",
    env: {},
    framework: "process",
    start: "warm",
    checkpoint: { everySteps: 0, everySeconds: 0, stream: false },
    collectiveTimeoutSeconds: 0,
    seed: "0",
    deterministic: true,
    inputs: [],
    secrets: [],
    limits: { memoryBytes: 0, processes: 0, openFiles: 0 },
    ownFolders: false,
    dataPaths: [],
  },
  traceparent: "",
  rankToken: "",
  maxRestarts: 0,
  graceMs: 1000,
});
const key = "job_1-2";
const run = assignment("run");
const stop = assignment("stop");

describe("the plan", () => {
  it.each<[string, readonly Assignment[] | undefined, AttemptPhase | undefined, readonly Action[]]>([
    ["does nothing while nobody has told what shall run", undefined, "running", []],
    ["starts what is new", [run], undefined, [{ kind: "start", assignment: run }]],
    ["lets run what shall run", [run], "running", []],
    ["does not start again what has ended", [run], "finalized", []],
    ["does not start again what could not start", [run], "failed_to_start", []],
    ["stops what shall stop", [stop], "running", [{ kind: "stop", key }]],
    ["stops what is being prepared", [stop], "preparing", [{ kind: "stop", key }]],
    ["waits for what is being stopped", [stop], "stopping", []],
    ["keeps an ended attempt while it is listed", [stop], "finalized", []],
    [
      "answers for an attempt that it never had",
      [stop],
      undefined,
      [{ kind: "stop", key, assignment: stop }],
    ],
    ["stops what an explicit list does not hold", [], "running", [{ kind: "stop", key }]],
    ["lets ended ranks be flushed although no longer listed", [], "flushing", []],
    ["forgets what has ended and is not listed", [], "finalized", [{ kind: "forget", key }]],
    ["forgets what could not start and is not listed", [], "failed_to_start", [{ kind: "forget", key }]],
  ])("%s", (_name, desired, phase, actions) => {
    expect(plan(desired, phase === undefined ? [] : [{ key, phase }])).toEqual(actions);
  });
});
