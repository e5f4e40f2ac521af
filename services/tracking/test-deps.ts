/** Set-up of tests of operations: a database and blobs without the service around them. */
import { openBlobStore } from "@trainyard/blob";
import { ensureIndexes, type Store } from "@trainyard/store";
import { tempDir, testLogger, testStore } from "@trainyard/testing";
import type { Deps } from "./deps.ts";
import type { CallJournal } from "./journal/call-journal.ts";
import { createRunRoom } from "./operations/run-room.ts";
import { createTurns } from "./operations/turns.ts";
import { createRunSignals } from "./run-signals.ts";
import { createRecords, recordIndexes } from "./store/records.ts";

/** As while the bus does not answer: calls are stored at once. */
const withoutBus: CallJournal = { append: async () => false, settled: async () => undefined };

/** What operations work with, in a database of its own with the service's indexes unless one is given. */
export async function testDeps(changes: Partial<Deps> = {}): Promise<Deps> {
  const store = changes.store ?? (await indexedStore());
  const records = createRecords(store);
  return {
    store,
    records,
    blobs: openBlobStore(new URL(`file://${tempDir("blobs")}`).href),
    blobMaxBytes: 1024 ** 3,
    runRoom: createRunRoom(records.runs, 1_000_000),
    turns: createTurns(),
    retention: {
      purgeDeletedAfterDays: 30,
      artifactDays: 0,
      checkpointDays: 0,
      keepNewestRuns: 0,
      archivedVersionDays: 0,
      blobGraceMs: 86_400_000,
    },
    archiveLogsAfterMs: 0,
    signals: createRunSignals(),
    journal: withoutBus,
    logger: testLogger(),
    now: () => new Date(),
    ...changes,
  };
}

async function indexedStore(): Promise<Store> {
  const store = await testStore();
  await ensureIndexes(store, recordIndexes);
  return store;
}
