import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { JobEvent } from "../domain/change.ts";
import type { Job } from "../domain/job.ts";
import { idlePolicyOf } from "../domain/job-spec.ts";
import { attemptToProto, slownessToProto } from "../wire/attempt-to-proto.ts";
import { idleActionToProto } from "../wire/enums.ts";
import { jobToProto } from "../wire/job-to-proto.ts";

/** Who is named as the cause of what the scheduler does of its own. */
export const SCHEDULER_ACTOR = "service:scheduler";

/** Writes a change's events into the transaction's outbox, each with its version of the job and in the job's trace. */
export async function emitJobEvents(tx: Tx, events: readonly JobEvent[]): Promise<void> {
  for (const event of events) await emitOne(tx, event);
}

function envelope(job: Job, actor: string) {
  return {
    project: job.project,
    id: job.id,
    aggregateVersion: job.version,
    actor,
    traceparent: job.traceparent,
  };
}

function emitOne(tx: Tx, event: JobEvent): Promise<string> {
  const { job } = event;
  const about = { jobId: job.id, runId: job.runId };
  switch (event.kind) {
    case "submitted":
      return tx.emit({
        ...envelope(job, job.createdBy),
        schema: scheduler.JobSubmittedSchema,
        data: create(scheduler.JobSubmittedSchema, { job: jobToProto(job) }),
      });
    case "cancel-requested":
      return tx.emit({
        ...envelope(job, job.cancel?.by ?? SCHEDULER_ACTOR),
        schema: scheduler.JobCancelRequestedSchema,
        data: create(scheduler.JobCancelRequestedSchema, { ...about, reason: event.reason }),
      });
    case "ended":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.JobEndedSchema,
        data: create(scheduler.JobEndedSchema, { job: jobToProto(job) }),
      });
    case "attempt-admitted":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.AttemptAdmittedSchema,
        data: create(scheduler.AttemptAdmittedSchema, { ...about, attempt: attemptToProto(event.attempt) }),
      });
    case "attempt-started":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.AttemptStartedSchema,
        data: create(scheduler.AttemptStartedSchema, { ...about, attempt: attemptToProto(event.attempt) }),
      });
    case "attempt-yielding":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.AttemptYieldingSchema,
        data: create(scheduler.AttemptYieldingSchema, { ...about, attempt: attemptToProto(event.attempt) }),
      });
    case "hung": {
      const { rank, step, silentMs, limitMs } = event.hung;
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.JobHungSchema,
        data: create(scheduler.JobHungSchema, {
          ...about,
          attempt: event.attempt.number,
          rank,
          step: BigInt(step),
          silentMs: BigInt(Math.round(silentMs)),
          limitMs: BigInt(Math.round(limitMs)),
        }),
      });
    }
    case "idle":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.JobIdleSchema,
        data: create(scheduler.JobIdleSchema, {
          ...about,
          attempt: event.attempt.number,
          idleSince: timestampFromDate(event.idleSince),
          action: idleActionToProto[idlePolicyOf(job.spec).action],
        }),
      });
    case "attempt-slowed":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.AttemptSlowedSchema,
        data: create(scheduler.AttemptSlowedSchema, {
          ...about,
          attempt: event.attempt.number,
          ...slownessToProto(event.news),
        }),
      });
    case "attempt-ended":
      return tx.emit({
        ...envelope(job, SCHEDULER_ACTOR),
        schema: scheduler.AttemptEndedSchema,
        data: create(scheduler.AttemptEndedSchema, {
          ...about,
          attempt: attemptToProto(event.attempt),
          willRetry: event.willRetry,
        }),
      });
  }
}
