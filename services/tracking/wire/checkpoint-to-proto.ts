import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import {
  type Checkpoint,
  checkpointDigest,
  filesOf,
  type ReportedMetrics,
  type StoredFile,
  totalBytes,
} from "../domain/checkpoint.ts";
import { kindToProto } from "./checkpoint-kind.ts";
import { timeField } from "./time.ts";

/** Files that a checkpoint's event names at most: with more, the event has the parts without them. */
const MAX_FILES_IN_EVENT = 512;

/** Pairs as a map of the wire. */
export function metricsToProto(metrics: ReportedMetrics): Record<string, number> {
  return Object.fromEntries(metrics.map(({ key, value }) => [key, value]));
}

/** A file as the wire has it. */
export function fileToProto({ path, digest, sizeBytes }: StoredFile): tracking.StoredFile {
  return create(tracking.StoredFileSchema, { path, digest, sizeBytes: BigInt(sizeBytes) });
}

/** A checkpoint as the wire has it. */
export function checkpointToProto(checkpoint: Checkpoint): tracking.Checkpoint {
  const { id, runId, attempt, step, kind, worldSize, parts, committedAt, metrics } = checkpoint;
  return create(tracking.CheckpointSchema, {
    id,
    runId,
    attempt,
    step: BigInt(step),
    kind: kindToProto(kind),
    worldSize,
    parts: parts.map(({ rank, files, recordsOffset }) => ({
      rank,
      files: files.map(fileToProto),
      recordsOffset: BigInt(recordsOffset),
    })),
    digest: checkpointDigest(parts),
    sizeBytes: BigInt(totalBytes(filesOf(parts))),
    metrics: metricsToProto(metrics),
    ...timeField("committedAt", committedAt),
  });
}

/** As `checkpointToProto`; a checkpoint of very many files is there without them, since an event names and does not carry. */
export function checkpointForEvent(checkpoint: Checkpoint): tracking.Checkpoint {
  const whole = checkpointToProto(checkpoint);
  if (filesOf(checkpoint.parts).length <= MAX_FILES_IN_EVENT) return whole;
  return create(tracking.CheckpointSchema, { ...whole, parts: [] });
}

/** An artifact as the wire has it. */
export function artifactToProto(artifact: {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly attempt: number;
  readonly createdAt: Date;
}): tracking.Artifact {
  return create(tracking.ArtifactSchema, {
    ...artifact,
    sizeBytes: BigInt(artifact.sizeBytes),
    createdAt: timestampFromDate(artifact.createdAt),
  });
}
