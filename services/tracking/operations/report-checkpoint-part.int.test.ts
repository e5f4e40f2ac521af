import { newId } from "@trainyard/domain";
import { beforeEach, expect, it } from "vitest";
import type { Deps } from "../deps.ts";
import { testDeps } from "../test-deps.ts";
import { openAttempt } from "./open-attempt.ts";
import { reportCheckpointPart } from "./report-checkpoint-part.ts";
import { reportRecovery } from "./report-recovery.ts";

let deps: Deps;
let run: { runId: string; jobId: string; project: string; actor: string };

beforeEach(async () => {
  deps = await testDeps();
  run = { runId: newId("run"), jobId: newId("job"), project: "default", actor: "service:scheduler" };
  await openAttempt(deps, { ...run, attempt: 1 });
});

/** The real repositories, but attempt 2 opens at the first look for the checkpoint inside the transaction. */
function openingMeanwhile(): Deps {
  const { checkpoints } = deps.records;
  let opened = false;
  return {
    ...deps,
    records: {
      ...deps.records,
      checkpoints: {
        ...checkpoints,
        findAt: async (at, scope) => {
          const found = await checkpoints.findAt(at, scope);
          if (scope !== undefined && !opened) {
            opened = true;
            await openAttempt(deps, { ...run, attempt: 2 });
          }
          return found;
        },
      },
    },
  };
}

it.each([
  ["the last part", 1],
  ["a part that is not the last", 2],
])("refuses %s when a newer attempt opens while it is being written", async (_, worldSize) => {
  const { digest, sizeBytes } = await deps.blobs.put(new TextEncoder().encode("weights"));
  const part = { rank: 0, files: [{ path: "w", digest, sizeBytes }], recordsOffset: 1 };
  const at = { runId: run.runId, attempt: 1, step: 1, kind: "periodic" } as const;
  const report = { ...at, worldSize, part, metrics: [], nodeId: "n1", actor: "agent:n1" };
  await expect(reportCheckpointPart(openingMeanwhile(), report)).rejects.toMatchObject({
    reason: "ATTEMPT_FENCED",
  });
  expect(await deps.records.checkpoints.ofRun(run.runId)).toEqual([]);
  expect(await deps.blobs.pins(digest)).toEqual([]);
});

it("takes each rank's part from the agent of its own node only, and whatever else is told of an attempt from its nodes", async () => {
  const reporters = [
    { nodeId: "n1", ranks: [0] },
    { nodeId: "n2", ranks: [1] },
  ];
  await openAttempt(deps, { ...run, attempt: 2, reporters });
  const { digest, sizeBytes } = await deps.blobs.put(new TextEncoder().encode("false weights"));
  const report = (nodeId: string, rank: number) => {
    const part = { rank, files: [{ path: "w", digest, sizeBytes }], recordsOffset: 1 };
    const at = { runId: run.runId, attempt: 2, step: 1, kind: "just-in-time", worldSize: 2 } as const;
    return reportCheckpointPart(deps, { ...at, part, metrics: [], nodeId, actor: `agent:${nodeId}` });
  };
  const refused = { code: "permission_denied", reason: "NODE_NOT_OF_ATTEMPT" };
  await report("n1", 0);
  await expect(report("n1", 1)).rejects.toMatchObject(refused);
  await expect(report("n3", 1)).rejects.toMatchObject(refused);
  expect(await deps.records.checkpoints.ofRun(run.runId)).toMatchObject([{ state: "collecting" }]);
  expect((await report("n2", 1))?.state).toBe("committed");
  const recovery = (nodeId: string) => reportRecovery(deps, { runId: run.runId, attempt: 2, nodeId });
  await expect(recovery("n3")).rejects.toMatchObject(refused);
  await recovery("n2");
  // Who was to report of attempt 2 has no say in attempt 3.
  await openAttempt(deps, { ...run, attempt: 3, reporters: [{ nodeId: "n3", ranks: [0, 1] }] });
  const later = { runId: run.runId, attempt: 3 };
  await expect(reportRecovery(deps, { ...later, nodeId: "n2" })).rejects.toMatchObject(refused);
  await reportRecovery(deps, { ...later, nodeId: "n3" });
});
