import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import type { Job } from "../domain/job.ts";
import { attemptToProto, failureToProto } from "./attempt-to-proto.ts";
import { jobStateToProto, pendingReasonToProto } from "./enums.ts";
import { datasetToProto, specToProto } from "./spec-to-proto.ts";

type JobInit = MessageInitShape<typeof scheduler.JobSchema>;

/** A job for the wire. */
export function jobToProto(job: Job): scheduler.Job {
  const { dataset, pending, failure, startedAt, endedAt } = job;
  const waits = job.state === "queued" || job.state === "starting";
  const init: JobInit = {
    id: job.id,
    project: job.project,
    spec: specToProto(job.spec),
    state: jobStateToProto[job.state],
    runId: job.runId,
    attempts: job.attempts.map(attemptToProto),
    version: BigInt(job.version),
    createdBy: job.createdBy,
    createdAt: timestampFromDate(job.createdAt),
    traceparent: job.traceparent ?? "",
    ...(dataset === undefined ? {} : { dataset: datasetToProto(dataset) }),
    ...(pending === undefined || !waits
      ? {}
      : { pending: { ...pending, reason: pendingReasonToProto[pending.reason] } }),
    ...(failure === undefined ? {} : { failure: failureToProto(failure) }),
    ...(startedAt === undefined ? {} : { startedAt: timestampFromDate(startedAt) }),
    ...(endedAt === undefined ? {} : { endedAt: timestampFromDate(endedAt) }),
  };
  return create(scheduler.JobSchema, init);
}
