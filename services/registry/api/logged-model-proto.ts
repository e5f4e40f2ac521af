import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { registry } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { LoggedModel, LoggedModelStatus, ModelMetric } from "../domain/logged-model.ts";
import type { ModelLink } from "../store/logged-models.ts";
import { textMap } from "./to-proto.ts";

const statuses: Readonly<Record<LoggedModelStatus, registry.LoggedModelStatus>> = {
  pending: registry.LoggedModelStatus.PENDING,
  ready: registry.LoggedModelStatus.READY,
  upload_failed: registry.LoggedModelStatus.UPLOAD_FAILED,
};

export function statusFromProto(status: registry.LoggedModelStatus): LoggedModelStatus | undefined {
  switch (status) {
    case registry.LoggedModelStatus.PENDING:
      return "pending";
    case registry.LoggedModelStatus.READY:
      return "ready";
    case registry.LoggedModelStatus.UPLOAD_FAILED:
      return "upload_failed";
    default:
      return undefined;
  }
}

export function loggedModelToProto(model: LoggedModel): registry.CatalogedModel {
  const { params, tags, status, metrics, createdAt, updatedAt, ...rest } = model;
  return create(registry.CatalogedModelSchema, {
    ...rest,
    status: statuses[status],
    params: textMap(params),
    tags: textMap(tags),
    metrics: metrics.map(({ step, timeMs, ...metric }) => ({
      ...metric,
      step: BigInt(step),
      timeMs: BigInt(timeMs),
    })),
    createdAt: timestampFromDate(createdAt),
    updatedAt: timestampFromDate(updatedAt),
  });
}

export function metricsFromProto(metrics: readonly registry.LoggedModelMetric[]): readonly ModelMetric[] {
  return metrics.map(({ key, value, step, timeMs, runId, datasetName, datasetDigest }) => ({
    key,
    value,
    step: Number(step),
    timeMs: Number(timeMs),
    runId,
    datasetName,
    datasetDigest,
  }));
}

export function linksFromProto(runId: string, links: readonly registry.ModelLink[]): readonly ModelLink[] {
  return links.map(({ modelId, output, step }) => ({ runId, modelId, output, step: Number(step) }));
}

/** Throws TAG_NOT_FOUND unless the model has each of these tags. */
export function assertTagsThere(model: LoggedModel, keys: readonly string[]): void {
  const missing = keys.find((key) => !model.tags.some((tag) => tag.key === key));
  if (missing === undefined) return;
  throw new DomainError("not_found", "TAG_NOT_FOUND", `${model.id} has no tag ${JSON.stringify(missing)}.`);
}
