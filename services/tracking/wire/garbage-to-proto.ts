import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { invalidField } from "../domain/errors.ts";
import type { RetentionPolicy } from "../domain/retention.ts";
import type { Garbage, GarbageKind, GarbageSummary } from "../operations/collect-garbage.ts";

const kinds: Readonly<Record<GarbageKind, tracking.GarbageKind>> = {
  run: tracking.GarbageKind.RUN,
  artifacts: tracking.GarbageKind.ARTIFACTS,
  checkpoint: tracking.GarbageKind.CHECKPOINT,
  pin: tracking.GarbageKind.PIN,
  blob: tracking.GarbageKind.BLOB,
};

/** One thing as the wire has it. */
export function garbageToProto({ kind, id, why, sizeBytes }: Garbage): tracking.CollectGarbageResponse {
  return create(tracking.CollectGarbageResponseSchema, {
    kind: kinds[kind],
    id,
    why,
    sizeBytes: BigInt(sizeBytes),
  });
}

/** The summary as the wire has it, as a message of its own. */
export function garbageSummaryToProto(summary: GarbageSummary): tracking.CollectGarbageResponse {
  return create(tracking.CollectGarbageResponseSchema, {
    summary: {
      blobsSeen: BigInt(summary.blobsSeen),
      blobsFreed: BigInt(summary.blobsFreed),
      bytesFreed: BigInt(summary.bytesFreed),
      bytesKept: BigInt(summary.bytesKept),
      runsPurged: BigInt(summary.runsPurged),
    },
  });
}

/** The policy of a request over the platform's own. */
export function policyFromProto(
  policy: tracking.RetentionPolicy | undefined,
  own: RetentionPolicy,
): RetentionPolicy {
  const read = (field: string, value: number | undefined, otherwise: number) => {
    if (value === undefined) return otherwise;
    if (value < 0) throw invalidField(`policy.${field}`, `expected 0 or more, got ${value}`);
    return value;
  };
  const minutes = read("blob_grace_minutes", policy?.blobGraceMinutes, own.blobGraceMs / 60_000);
  return {
    purgeDeletedAfterDays: read(
      "purge_deleted_after_days",
      policy?.purgeDeletedAfterDays,
      own.purgeDeletedAfterDays,
    ),
    artifactDays: read("artifact_days", policy?.artifactDays, own.artifactDays),
    checkpointDays: read("checkpoint_days", policy?.checkpointDays, own.checkpointDays),
    keepNewestRuns: read("keep_newest_runs", policy?.keepNewestRuns, own.keepNewestRuns),
    archivedVersionDays: read("archived_version_days", policy?.archivedVersionDays, own.archivedVersionDays),
    blobGraceMs: minutes * 60_000,
  };
}
