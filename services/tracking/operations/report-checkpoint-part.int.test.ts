import { newId } from "@trainyard/domain";
import { beforeEach, expect, it } from "vitest";
import type { Deps } from "../deps.ts";
import { testDeps } from "../test-deps.ts";
import { openAttempt } from "./open-attempt.ts";
import { reportCheckpointPart } from "./report-checkpoint-part.ts";

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
  const report = { ...at, worldSize, part, metrics: [], actor: "agent:n1" };
  await expect(reportCheckpointPart(openingMeanwhile(), report)).rejects.toMatchObject({
    reason: "ATTEMPT_FENCED",
  });
  expect(await deps.records.checkpoints.ofRun(run.runId)).toEqual([]);
  expect(await deps.blobs.pins(digest)).toEqual([]);
});
