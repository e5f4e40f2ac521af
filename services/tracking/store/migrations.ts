import { fromJsonString } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { Migration } from "@trainyard/store";
import type { AnyBulkWriteOperation, Db, Document } from "mongodb";
import { paramsOfJob } from "../domain/named-text.ts";

const BATCH = 500;

/** Steps that bring older documents to what this version reads, oldest first. */
export const migrations: readonly Migration[] = [
  { id: "2026-11-21-experiments-have-a-lifecycle", up: giveExperimentsALifecycle },
  { id: "2026-11-21-runs-without-jobs", up: liftRunFields },
  { id: "2026-11-21-metrics-are-folded", up: haveMetricsFolded },
];

/** Batches of older versions are folded into summaries as if they had come now; their own summaries go. */
async function haveMetricsFolded(db: Db): Promise<void> {
  await db
    .collection("metric_batches")
    .updateMany(
      { folded: { $exists: false } },
      { $set: { folded: false, schemaVersion: 2 }, $unset: { summaries: "" } },
    );
}

async function giveExperimentsALifecycle(db: Db): Promise<void> {
  await db
    .collection("experiments")
    .updateMany({ schemaVersion: 1 }, [
      { $set: { schemaVersion: 2, tags: [], lifecycle: "active", updatedAt: "$createdAt" } },
    ]);
}

/** Name, experiment and parameters of a run move from its job's submission to the run, as an outside run has them too. */
async function liftRunFields(db: Db, signal: AbortSignal): Promise<void> {
  const runs = db.collection<Document & { _id: string }>("runs");
  let batch: AnyBulkWriteOperation<Document & { _id: string }>[] = [];
  const write = async () => {
    if (batch.length > 0) await runs.bulkWrite(batch, { ordered: false });
    batch = [];
  };
  for await (const run of runs.find({ schemaVersion: 1 })) {
    signal.throwIfAborted();
    batch.push({ updateOne: { filter: { _id: run._id, schemaVersion: 1 }, update: liftedFields(run) } });
    if (batch.length >= BATCH) await write();
  }
  await write();
  for (const name of ["by_experiment", "by_experiment_name"]) {
    if (await runs.indexExists(name)) await runs.dropIndex(name);
  }
}

function liftedFields({ submission, createdAt, startedAt }: Document): Document {
  const spec = submission?.spec;
  const params =
    typeof spec === "string"
      ? fromJsonString(scheduler.JobSpecSchema, spec, { ignoreUnknownFields: true }).params
      : undefined;
  return {
    $set: {
      schemaVersion: 2,
      name: submission?.name ?? "",
      experimentId: submission?.experimentId ?? "",
      params: paramsOfJob(params ?? {}),
      tags: [],
      note: "",
      parentRunId: "",
      inputs: [],
      lifecycle: "active",
      updatedAt: createdAt,
      startTime: startedAt ?? createdAt,
    },
    $unset: { "submission.name": "", "submission.experiment": "", "submission.experimentId": "" },
  };
}
