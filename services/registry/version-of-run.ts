import { createHash } from "node:crypto";
import type { tracking } from "@trainyard/contracts";
import { filesFromProto, signatureFromProto } from "./api/from-proto.ts";
import type { NewVersion } from "./register-version.ts";

/** The version that a run's logged model makes. */
export function versionOfRun(run: tracking.Run, model: string): NewVersion {
  const logged = run.model;
  const signature = signatureFromProto(logged?.signature);
  return {
    project: run.project,
    model,
    version: "",
    origin: {
      runId: run.id,
      jobId: run.jobId,
      datasetVersionId: run.dataset?.versionId ?? "",
      codeDigest: run.spec?.code?.digest ?? "",
      paramsHash: createHash("sha256")
        .update(sortedJson(run.params ?? {}))
        .digest("hex"),
      submittedBy: run.createdBy,
      ...untrackedOf(run),
    },
    artifactUri: `trainyard:/runs/${run.id}/models/${logged?.name ?? "model"}`,
    files: filesFromProto(logged?.files ?? []),
    digest: logged?.digest ?? "",
    framework: logged?.framework ?? "",
    ...(signature === undefined ? {} : { signature }),
    metrics: { ...logged?.metrics },
    suite: run.spec?.model?.suite ?? "",
    notes: "",
    createdBy: run.createdBy,
    traceparent: run.traceparent,
  };
}

/** The host paths that a run was trained on, if it was. */
export function untrackedOf({ spec }: tracking.Run): { readonly untrackedDataPaths?: readonly string[] } {
  return spec === undefined || spec.dataPaths.length === 0 ? {} : { untrackedDataPaths: [...spec.dataPaths] };
}

/** JSON with sorted keys, so that equal parameters give equal text. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
