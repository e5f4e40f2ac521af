import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { registry } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import {
  distinctPoints,
  type LoggedModel,
  type LoggedModelStatus,
  type ModelMetric,
} from "../domain/logged-model.ts";
import type { ModelLink } from "../store/logged-models.ts";
import { type ModelPoints, PAGE_POINTS } from "../store/model-points.ts";
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

/** With its points, unless those are left out. */
function loggedModelToProto(
  model: LoggedModel,
  points: readonly ModelMetric[] | undefined,
): registry.CatalogedModel {
  const { params, tags, status, series: _, pointCount: __, createdAt, updatedAt, ...rest } = model;
  return create(registry.CatalogedModelSchema, {
    ...rest,
    status: statuses[status],
    params: textMap(params),
    tags: textMap(tags),
    metrics: distinctPoints(points ?? []).map(pointToProto),
    metricsOmitted: points === undefined,
    createdAt: timestampFromDate(createdAt),
    updatedAt: timestampFromDate(updatedAt),
  });
}

/** The models with their points, as far as those of all of them have room in one answer. */
export async function loggedModelsToProto(
  points: ModelPoints,
  models: readonly LoggedModel[],
  tx?: Tx,
): Promise<registry.CatalogedModel[]> {
  let room = PAGE_POINTS;
  const shown = new Set<string>();
  for (const { id, pointCount } of models) {
    if (pointCount > room) continue;
    room -= pointCount;
    shown.add(id);
  }
  const measured = models.filter(({ id, pointCount }) => pointCount > 0 && shown.has(id));
  const byModel = await points.of(
    measured.map(({ id }) => id),
    tx,
  );
  return models.map((model) =>
    loggedModelToProto(model, shown.has(model.id) ? (byModel.get(model.id) ?? []) : undefined),
  );
}

export function pointToProto({ step, timeMs, ...point }: ModelMetric) {
  return create(registry.LoggedModelMetricSchema, { ...point, step: BigInt(step), timeMs: BigInt(timeMs) });
}

/** Equal ones once. */
export function pointsFromProto(metrics: readonly registry.LoggedModelMetric[]): readonly ModelMetric[] {
  const points = metrics.map(({ key, value, step, timeMs, runId, datasetName, datasetDigest }) => ({
    key,
    value,
    step: Number(step),
    timeMs: Number(timeMs),
    runId,
    datasetName,
    datasetDigest,
  }));
  return distinctPoints(points);
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
