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
  const endedAt = dateOf(job.endedAt) ?? deps.now();
  const startedAt = run.startedAt ?? dateOf(job.startedAt);
  const failure = job.failure === undefined ? {} : { failure: failureText(job.failure) };
  return await saveEnded(
    deps,
    tx,
    { ...run, status, endedAt, ...(startedAt === undefined ? {} : { startedAt }), ...failure },
    actor,
  );
}

/** Stores a run that has ended just now, with its metrics as they are and the event of its end. */
export async function saveEnded(deps: Deps, tx: Tx, run: RunRecord, actor: string): Promise<RunRecord> {
  const view = await viewRun(deps, run, tx);
  const ended: RunRecord = {
    ...run,
    version: run.version + 1,
    updatedAt: deps.now(),
  };
  await deps.records.runs.save(tx, ended);
  await deps.records.logArchives.schedule(tx, ended, archiveTime(deps));
  const artifacts = await deps.records.artifacts.ofRun(run.id, tx);
  await tx.emit({
    schema: tracking.RunEndedSchema,
    project: run.project,
    id: run.id,
    aggregateVersion: ended.version,
    actor,
    data: create(tracking.RunEndedSchema, runEndedToProto({ ...view, run: ended }, artifacts)),
    traceparent: run.submission?.traceparent,
  });
  return ended;
}

/** When outputs that have arrived by now are moved into the blob store: what comes late comes soon. */
export function archiveTime({ now, archiveLogsAfterMs }: Deps): Date {
  return new Date(now().getTime() + archiveLogsAfterMs);
}

/** A failure as a run's record keeps it. */
export function failureText(failure: scheduler.Failure): string {
  return toJsonString(scheduler.FailureSchema, failure);
}
