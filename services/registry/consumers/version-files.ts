import { registry } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { FileHolds } from "../hold-files.ts";
import type { VersionFiles } from "../store/unsettled-files.ts";

/** Holds the files of versions that are there, and gives up those of removed ones, whoever dies in between. */
export function keepVersionFiles(holds: FileHolds): readonly EventHandler[] {
  const settle = async (version: registry.ModelVersion | undefined): Promise<void> => {
    if (version !== undefined) await holds.settle(filesOf(version));
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

function filesOf({ id, project, files, runId, loggedModelId }: registry.ModelVersion): VersionFiles {
  return {
    id,
    project,
    files: files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes: Number(sizeBytes) })),
    origin: { runId },
    ...(loggedModelId === "" ? {} : { loggedModelId }),
  };
}
