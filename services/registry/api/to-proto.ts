import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { registry, stageByWord, tracking } from "@trainyard/contracts";
import type { NamedText } from "../domain/catalog.ts";
import type {
  Approval,
  GateRecord,
  Model,
  ModelVersion,
  Signature,
  StageChange,
  Waiver,
} from "../domain/model-version.ts";

export function versionToProto(version: ModelVersion): registry.ModelVersion {
  return create(registry.ModelVersionSchema, {
    id: version.id,
    project: version.project,
    model: version.model,
    number: version.number,
    version: version.version,
    stage: stageByWord[version.stage],
    runId: version.origin.runId,
    jobId: version.origin.jobId,
    artifactUri: version.artifactUri,
    files: version.files.map(({ path, digest, sizeBytes }) => ({
      path,
      digest,
      sizeBytes: BigInt(sizeBytes),
    })),
    digest: version.digest,
    framework: version.framework,
    ...(version.signature === undefined ? {} : { signature: signatureToProto(version.signature) }),
    metrics: { ...version.metrics },
    datasetVersionId: version.origin.datasetVersionId,
    codeDigest: version.origin.codeDigest,
    suite: version.suite,
    ...(version.gate === undefined ? {} : { gate: gateToProto(version.gate) }),
    approvals: version.approvals.map(approvalToProto),
    submittedBy: version.origin.submittedBy,
    promotedBy: version.promotedBy,
    ...(version.promotedAt === undefined ? {} : { promotedAt: timestampFromDate(version.promotedAt) }),
    notes: version.notes,
    aggregateVersion: BigInt(version.aggregateVersion),
    createdBy: version.createdBy,
    createdAt: timestampFromDate(version.createdAt),
    traceparent: version.traceparent,
    tags: textMap(version.tags),
    updatedAt: timestampFromDate(version.updatedAt ?? version.createdAt),
    sourceRunId: version.sourceRunId ?? "",
    loggedModelId: version.loggedModelId ?? "",
    untrackedDataPaths: [...(version.origin.untrackedDataPaths ?? [])],
    ...(version.waiver === undefined ? {} : { waiver: waiverToProto(version.waiver) }),
  });
}

function signatureToProto({ inputs, outputs }: Signature): tracking.Signature {
  const tensor = ({ name, dtype, shape }: Signature["inputs"][number]) => ({
    name,
    dtype,
    shape: shape.map(BigInt),
  });
  return create(tracking.SignatureSchema, { inputs: inputs.map(tensor), outputs: outputs.map(tensor) });
}

function gateToProto({ evaluationId, passed, messages, suite, at }: GateRecord): registry.GateRecord {
  return create(registry.GateRecordSchema, {
    evaluationId,
    passed,
    messages: [...messages],
    suite,
    at: timestampFromDate(at),
  });
}

export function approvalToProto({ by, stage, at, comment }: Approval): registry.Approval {
  return create(registry.ApprovalSchema, {
    by,
    stage: stageByWord[stage],
    at: timestampFromDate(at),
    comment,
  });
}

export function waiverToProto({ by, reason, at }: Waiver): registry.Waiver {
  return create(registry.WaiverSchema, { by, reason, at: timestampFromDate(at) });
}

export function stageChangeToProto(change: StageChange): registry.StageChange {
  const { model, modelVersionId, version, from, to, by, at, reason } = change;
  return create(registry.StageChangeSchema, {
    model,
    modelVersionId,
    version,
    from: stageByWord[from],
    to: stageByWord[to],
    by,
    at: timestampFromDate(at),
    reason,
  });
}

export function modelToProto(model: Model, champion: ModelVersion | undefined): registry.Model {
  return create(registry.ModelSchema, {
    name: model.name,
    project: model.project,
    description: model.description,
    versionCount: model.versionCount,
    ...(champion === undefined ? {} : { champion: versionToProto(champion) }),
    version: BigInt(model.version),
    createdBy: model.createdBy,
    createdAt: timestampFromDate(model.createdAt),
    tags: textMap(model.tags),
    aliases: Object.fromEntries([
      ...(model.aliases ?? []).map(({ alias, number }) => [alias, number] as const),
      ...(champion === undefined ? [] : [["champion", champion.number] as const]),
    ]),
    updatedAt: timestampFromDate(model.updatedAt ?? model.createdAt),
  });
}

export function textMap(texts: readonly NamedText[] = []): Record<string, string> {
  return Object.fromEntries(texts.map(({ key, value }) => [key, value]));
}
