import { create } from "@bufbuild/protobuf";
import { registry } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import { approvalToProto, stageChangeToProto, versionToProto, waiverToProto } from "./api/to-proto.ts";
import type { Approval, Model, ModelVersion, StageChange, Waiver } from "./domain/model-version.ts";

/** The part of an event that is the same for all of this service's: the aggregate is the model, the trace is the run's. */
function envelope(model: Model, version: ModelVersion, actor: string) {
  return {
    project: model.project,
    id: model.id,
    aggregateVersion: model.version,
    actor,
    ...(version.traceparent === "" ? {} : { traceparent: version.traceparent }),
  };
}

export async function emitCreated(tx: Tx, model: Model, version: ModelVersion, actor: string): Promise<void> {
  const data = create(registry.ModelVersionCreatedSchema, { modelVersion: versionToProto(version) });
  await tx.emit({ schema: registry.ModelVersionCreatedSchema, ...envelope(model, version, actor), data });
}

export async function emitGateRecorded(
  tx: Tx,
  model: Model,
  version: ModelVersion,
  actor: string,
): Promise<void> {
  const data = create(registry.ModelVersionGateRecordedSchema, { modelVersion: versionToProto(version) });
  await tx.emit({
    schema: registry.ModelVersionGateRecordedSchema,
    ...envelope(model, version, actor),
    data,
  });
}

export async function emitApproved(
  tx: Tx,
  model: Model,
  version: ModelVersion,
  approval: Approval,
  actor: string,
): Promise<void> {
  const data = create(registry.ModelVersionApprovedSchema, {
    modelVersion: versionToProto(version),
    approval: approvalToProto(approval),
  });
  await tx.emit({ schema: registry.ModelVersionApprovedSchema, ...envelope(model, version, actor), data });
}

export async function emitWaived(
  tx: Tx,
  model: Model,
  version: ModelVersion,
  waiver: Waiver,
  actor: string,
): Promise<void> {
  const data = create(registry.ModelVersionWaivedSchema, {
    modelVersion: versionToProto(version),
    waiver: waiverToProto(waiver),
  });
  await tx.emit({ schema: registry.ModelVersionWaivedSchema, ...envelope(model, version, actor), data });
}

export async function emitStageChange(
  tx: Tx,
  model: Model,
  version: ModelVersion,
  change: StageChange,
  actor: string,
): Promise<void> {
  const data = create(registry.ModelVersionStageChangedSchema, {
    modelVersion: versionToProto(version),
    change: stageChangeToProto(change),
  });
  await tx.emit({
    schema: registry.ModelVersionStageChangedSchema,
    ...envelope(model, version, actor),
    data,
  });
}

/** The version as it was; the model's version is of the removal. */
export async function emitDeleted(tx: Tx, model: Model, version: ModelVersion, actor: string): Promise<void> {
  const removed = versionToProto({ ...version, aggregateVersion: model.version });
  const data = create(registry.ModelVersionDeletedSchema, { modelVersion: removed });
  await tx.emit({ schema: registry.ModelVersionDeletedSchema, ...envelope(model, version, actor), data });
}
