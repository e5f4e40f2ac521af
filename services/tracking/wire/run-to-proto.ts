import { create, fromJsonString, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler, tracking } from "@trainyard/contracts";
import type { Param } from "../domain/named-text.ts";
import { isOutside, type RunRecord } from "../domain/run-record.ts";
import type { RunView } from "../operations/run-view.ts";
import { checkpointToProto } from "./checkpoint-to-proto.ts";
import { inputToProto } from "./inputs.ts";
import { lifecycleToProto } from "./lifecycle.ts";
import { modelToProto } from "./model.ts";
import { summariesToProto } from "./points-to-proto.ts";
import { handoverToProto, recoveryToProto } from "./recovery.ts";
import { statusToProto } from "./status.ts";
import { textsToProto } from "./texts.ts";
import { timeField } from "./time.ts";

/** A run with what is kept beside it, as the wire has it. */
export function runToProto(view: RunView): tracking.Run {
  const { run, experiment, latestCheckpoint, metrics = [], favourite = false } = view;
  const lifecycle = experiment?.lifecycle === "deleted" ? "deleted" : run.lifecycle;
  return create(tracking.RunSchema, {
    id: run.id,
    project: run.project,
    experimentId: run.experimentId,
    experiment: experiment?.name ?? "",
    jobId: run.jobId,
    name: run.name,
    status: statusToProto(run.status),
    artifactUri: artifactUriOf(run.id),
    attempts: run.attempts.map(({ number, resumedFrom, startedFrom, openedAt, handover }) => ({
      number,
      resumedFromCheckpointId: (resumedFrom ?? startedFrom)?.checkpointId ?? "",
      openedAt: timestampFromDate(openedAt),
      ...(handover === undefined ? {} : { handover: handoverToProto(handover) }),
    })),
    metrics: summariesToProto(metrics),
    version: BigInt(run.version),
    createdBy: run.createdBy,
    createdAt: timestampFromDate(run.createdAt),
    updatedAt: timestampFromDate(run.updatedAt),
    startTime: timestampFromDate(run.startedAt ?? run.createdAt),
    params: {
      ...textsToProto(run.params.filter(({ typed }) => typed === undefined)),
      ...typedOf(run.params),
    },
    paramTexts: textsToProto(run.params),
    tags: textsToProto(run.tags),
    note: run.note,
    parentRunId: run.parentRunId,
    inputs: run.inputs.map(inputToProto),
    lifecycle: lifecycleToProto(lifecycle),
    lifecycleChangedBy: run.lifecycleChangedBy ?? "",
    idleLimitSeconds: BigInt(Math.ceil((run.idleLimitMs ?? 0) / 1_000)),
    favourite,
    ...submissionFields(run),
    ...(latestCheckpoint === undefined ? {} : { latestCheckpoint: checkpointToProto(latestCheckpoint) }),
    ...modelField(run),
    ...(run.recovery === undefined ? {} : { recovery: recoveryToProto(run.recovery) }),
    ...failureField(run),
    ...timeField("startedAt", run.startedAt),
    ...timeField("endedAt", run.endedAt),
    ...timeField("seenAt", isOutside(run) ? run.seenAt : undefined),
    ...timeField("lifecycleChangedAt", run.lifecycleChangedAt ?? experiment?.deletedAt),
  });
}

/** Where the artifacts of this run are. */
function artifactUriOf(runId: string): string {
  return `trainyard:/runs/${runId}/artifacts`;
}

function submissionFields({ submission }: RunRecord) {
  if (submission === undefined) return {};
  const { dataset, traceparent = "" } = submission;
  const spec = fromJsonString(scheduler.JobSpecSchema, submission.spec, { ignoreUnknownFields: true });
  return {
    spec,
    traceparent,
    untrackedData: spec.dataPaths.length > 0,
    ...(dataset === undefined
      ? {}
      : { dataset: fromJsonString(scheduler.ResolvedDatasetSchema, dataset, { ignoreUnknownFields: true }) }),
  };
}

/** The parameters that were not texts, as what the job file gave. */
function typedOf(params: readonly Param[]): JsonObject {
  const typed = params.filter((param) => param.typed === true);
  return Object.fromEntries(typed.map(({ key, value }) => [key, JSON.parse(value) as JsonValue]));
}

function modelField({ model }: RunRecord) {
  return model === undefined ? {} : { model: modelToProto(model) };
}

function failureField({ failure }: RunRecord) {
  if (failure === undefined) return {};
  return { failure: fromJsonString(scheduler.FailureSchema, failure, { ignoreUnknownFields: true }) };
}
