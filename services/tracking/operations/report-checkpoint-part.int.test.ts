import { openBlobStore } from "@trainyard/blob";
import { newId } from "@trainyard/domain";
import { ensureIndexes } from "@trainyard/store";
import { tempDir, testLogger, testStore } from "@trainyard/testing";
import { beforeEach, expect, it } from "vitest";
import type { Deps } from "../deps.ts";
import { createRunSignals } from "../run-signals.ts";
import { createRecords, recordIndexes } from "../store/records.ts";
import { openAttempt } from "./open-attempt.ts";
import { reportCheckpointPart } from "./report-checkpoint-part.ts";
import { createRunRoom } from "./run-room.ts";

let deps: Deps;
let run: { runId: string; jobId: string; project: string; actor: string };

beforeEach(async () => {
  const store = await testStore();
  await ensureIndexes(store, recordIndexes);
  const records = createRecords(store);
  deps = {
    store,
    records,
    blobs: await openBlobStore(new URL(`file://${tempDir("blobs")}`).href),
    blobMaxBytes: 1024 ** 3,
    runRoom: createRunRoom(records.runs, 1_000_000),
    retention: {
      purgeDeletedAfterDays: 30,
      artifactDays: 0,
      checkpointDays: 0,
      keepNewestRuns: 0,
      blobGraceMs: 86_400_000,
    },
    archiveLogsAfterMs: 0,
    signals: createRunSignals(),
    logger: testLogger(),
    now: () => new Date(),
  };
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
