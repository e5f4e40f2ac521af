import { registry } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { FileHolds, HeldVersion } from "../hold-files.ts";

/** Holds the files of versions that are there, and gives up those of removed ones, whoever dies in between. */
export function keepVersionFiles(holds: FileHolds): readonly EventHandler[] {
  const settle = async (version: registry.ModelVersion | undefined): Promise<void> => {
    if (version !== undefined) await holds.settle(heldVersion(version));
  };
  return [
    on(registry.ModelVersionCreatedSchema, { mode: "every-one" }, (_tx, { data }) =>
      settle(data.modelVersion),
    ),
    on(registry.ModelVersionDeletedSchema, { mode: "every-one" }, (_tx, { data }) =>
      settle(data.modelVersion),
    ),
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
