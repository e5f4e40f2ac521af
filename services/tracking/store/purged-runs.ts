import type { IndexSpec, Store } from "@trainyard/store";
import type { Document, Filter } from "mongodb";
import type { RunRecord } from "../domain/run-record.ts";
import type { RunDocument } from "./runs.ts";

/** What is left of a run that goes for good, until everything it has recorded is gone. */
interface PurgedRun {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly purgedAt: Date;
  /** Of files that only the run's own record named. */
  readonly digests: readonly string[];
}

/** Every collection that has documents of one run, and how they are found. A test holds it to what is there. */
const OF_ONE_RUN: Readonly<Record<string, (runId: string) => Filter<Document>>> = {
  metric_batches: (runId) => ({ runId }),
  metric_chunks: (runId) => ({ runId }),
  metric_states: (runId) => ({ _id: runId as never }), // A text, where the driver expects its own ids.
  metric_summaries: (runId) => ({ _id: { $gte: `${runId}:`, $lt: `${runId};` } as never }), // As above.
  log_batches: (runId) => ({ runId }),
  log_archives: (runId) => ({ runId }),
  log_archiving: (runId) => ({ _id: runId as never }), // As above.
  stored_ranges: (runId) => ({ runId }),
  run_notes: (runId) => ({ runId }),
  run_versions: (runId) => ({ runId }),
  favourites: (runId) => ({ runId }),
  artifacts: (runId) => ({ runId }),
  checkpoints: (runId) => ({ runId }),
};

export const purgedRunIndexes: readonly IndexSpec[] = [
  { collection: "runs", name: "by_lifecycle", key: { lifecycle: 1, lifecycleChangedAt: 1 } },
  { collection: "favourites", name: "of_run", key: { runId: 1 } },
];

/** Runs that go for good. */
export interface PurgedRuns {
  /** Deleted runs whose mark is older. */
  deletedBefore(
    before: Date,
  ): AsyncIterable<Pick<RunRecord, "id" | "project"> & { readonly deletedAt: Date | undefined }>;
  /**
   * Takes the run's record away, if it still is deleted since before then: from here on it cannot be restored, and what is
   * left is found by `all`.
   */
  take(runId: string, before: Date, now: Date): Promise<boolean>;
  all(): AsyncIterable<Pick<RunRecord, "id" | "project"> & { readonly digests: readonly string[] }>;
  /** Removes what the run has recorded, and then what is left of it. */
  finish(runId: string): Promise<void>;
}

/** The purged runs in this database. */
export function createPurgedRuns(store: Store): PurgedRuns {
  const runs = store.collection<RunDocument>("runs");
  const purged = store.collection<PurgedRun>("purged_runs");
  const deleted = (before: Date) => ({
    lifecycle: "deleted" as const,
    lifecycleChangedAt: { $lt: before },
  });
  return {
    async *deletedBefore(before) {
      const found = runs.find(deleted(before), { projection: { project: 1, lifecycleChangedAt: 1 } });
      for await (const { _id, project, lifecycleChangedAt } of found)
        yield { id: _id, project, deletedAt: lifecycleChangedAt };
    },
    take: (runId, before, now) =>
      store.transaction("purge run", async ({ session }) => {
        const run = await runs.findOneAndDelete({ _id: runId, ...deleted(before) }, { session });
        if (run === null) return false;
        const digests = run.model?.files.map(({ digest }) => digest) ?? [];
        const row = { _id: runId, schemaVersion: 1 as const, project: run.project, purgedAt: now, digests };
        await purged.insertOne(row, { session });
        return true;
      }),
    async *all() {
      for await (const { _id, project, digests } of purged.find()) yield { id: _id, project, digests };
    },
    async finish(runId) {
      for (const [name, filter] of Object.entries(OF_ONE_RUN)) {
        await store.collection(name).deleteMany(filter(runId));
      }
      await purged.deleteOne({ _id: runId });
    },
  };
}
