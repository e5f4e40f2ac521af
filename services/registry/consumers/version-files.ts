import { registry } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { FileHolds, HeldVersion } from "../hold-files.ts";

/** Holds the files of a version that is registered, and gives them up when it is removed, whoever dies in between. */
export function keepVersionFiles(holds: FileHolds): readonly EventHandler[] {
  return [
    on(registry.ModelVersionCreatedSchema, { mode: "every-one" }, async (_tx, { data: { modelVersion } }) => {
      if (modelVersion !== undefined) await holds.hold(heldVersion(modelVersion));
    }),
    on(registry.ModelVersionDeletedSchema, { mode: "every-one" }, async (_tx, { data: { modelVersion } }) => {
      if (modelVersion !== undefined) await holds.release(heldVersion(modelVersion));
    }),
  ];
}

function heldVersion({ project, files, runId, loggedModelId }: registry.ModelVersion): HeldVersion {
  return {
    project,
    files: files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes: Number(sizeBytes) })),
    origin: { runId },
    ...(loggedModelId === "" ? {} : { loggedModelId }),
  };
}
