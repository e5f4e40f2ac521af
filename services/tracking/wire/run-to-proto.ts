import { create, fromJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler, tracking } from "@trainyard/contracts";
import type { RunRecord, Submission } from "../domain/run-record.ts";
import type { RunView } from "../operations/run-view.ts";
import { checkpointToProto } from "./checkpoint-to-proto.ts";
import { modelToProto } from "./model.ts";
import { summariesToProto } from "./points-to-proto.ts";
import { handoverToProto, recoveryToProto } from "./recovery.ts";
import { statusToProto } from "./status.ts";
import { timeField } from "./time.ts";

/** A run with what is kept beside it, as the wire has it. */
export function runToProto({ run, latestCheckpoint, metrics = [] }: RunView): tracking.Run {
  return create(tracking.RunSchema, {
    id: run.id,
    project: run.project,
    jobId: run.jobId,
    status: statusToProto(run.status),
    artifactUri: `trainyard:/runs/${run.id}/artifacts`,
    attempts: run.attempts.map(({ number, resumedFrom, openedAt, handover }) => ({
      number,
      resumedFromCheckpointId: resumedFrom?.checkpointId ?? "",
      openedAt: timestampFromDate(openedAt),
      ...(handover === undefined ? {} : { handover: handoverToProto(handover) }),
    })),
    metrics: summariesToProto(metrics),
    version: BigInt(run.version),
    createdBy: run.createdBy,
    createdAt: timestampFromDate(run.createdAt),
    ...submissionFields(run.submission),
    ...(latestCheckpoint === undefined ? {} : { latestCheckpoint: checkpointToProto(latestCheckpoint) }),
    ...modelField(run),
    ...(run.recovery === undefined ? {} : { recovery: recoveryToProto(run.recovery) }),
    ...failureField(run),
    ...timeField("startedAt", run.startedAt),
    ...timeField("endedAt", run.endedAt),
  });
}

function submissionFields(submission: Submission | undefined) {
  if (submission === undefined) return {};
  const { name, experimentId, experiment, dataset, traceparent = "" } = submission;
  const spec = fromJsonString(scheduler.JobSpecSchema, submission.spec, { ignoreUnknownFields: true });
  return {
    name,
    experimentId,
    experiment,
    spec,
    traceparent,
    ...(spec.params === undefined ? {} : { params: spec.params }),
    ...(dataset === undefined
      ? {}
      : { dataset: fromJsonString(scheduler.ResolvedDatasetSchema, dataset, { ignoreUnknownFields: true }) }),
  };
}

function modelField({ model }: RunRecord) {
  return model === undefined ? {} : { model: modelToProto(model) };
}

function failureField({ failure }: RunRecord) {
  if (failure === undefined) return {};
  return { failure: fromJsonString(scheduler.FailureSchema, failure, { ignoreUnknownFields: true }) };
}
