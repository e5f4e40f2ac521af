import { create, toJsonString } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { type FinalStatus, isFinal } from "../domain/run-status.ts";
import { runEndedToProto } from "../wire/run-ended-to-proto.ts";
import { dateOf } from "../wire/time.ts";
import { ensureSubmitted } from "./ensure-run.ts";
import { viewRun } from "./run-view.ts";

/**
 * Ends the run of a job that has ended, exactly once, with its metrics as they are in the whole history: the job ends
 * only after its agents know everything stored. Returns the run if this ended it.
 */
export async function endRun(
  deps: Deps,
  tx: Tx,
  job: scheduler.Job,
  status: FinalStatus,
  actor: string,
): Promise<RunRecord | undefined> {
  const run = await ensureSubmitted(deps, tx, job, actor);
  if (isFinal(run.status)) return undefined;
  const { latestCheckpoint, metrics = [] } = await viewRun(deps, run, tx);
  const endedAt = dateOf(job.endedAt) ?? deps.now();
  const startedAt = run.startedAt ?? dateOf(job.startedAt);
  const ended: RunRecord = {
    ...run,
    version: run.version + 1,
    status,
    metrics,
    endedAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(job.failure === undefined ? {} : { failure: toJsonString(scheduler.FailureSchema, job.failure) }),
  };
  await deps.records.runs.save(tx, ended);
  const artifacts = await deps.records.artifacts.ofRun(run.id, tx);
  const view = { run: ended, metrics, ...(latestCheckpoint === undefined ? {} : { latestCheckpoint }) };
  await tx.emit({
    schema: tracking.RunEndedSchema,
    project: run.project,
    id: run.id,
    aggregateVersion: ended.version,
    actor,
    data: create(tracking.RunEndedSchema, runEndedToProto(view, artifacts)),
    traceparent: run.submission?.traceparent,
  });
  return ended;
}
