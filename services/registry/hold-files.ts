import { type BlobStore, holderName } from "@trainyard/blob";
import type { NewVersion } from "./register-version.ts";

/** Pins have an end; this is longer than anybody keeps a version. */
const REFERENCE_TTL_MS = 100 * 365 * 24 * 60 * 60 * 1000;

/** Keeps a version's files, whatever becomes of the run that made them. To be called before the version is registered. */
export type HoldFiles = (
  version: Pick<NewVersion, "project" | "files" | "origin" | "loggedModelId">,
) => Promise<void>;

/**
 * Holds files in this blob store, in the name of the run or logged model: a registration that runs again leaves no second pin. That they
 * are there need not be asked, for that still holds them.
 */
export function holdFilesIn(blobs: BlobStore): HoldFiles {
  return async ({ project, files, origin, loggedModelId }) => {
    const pin = {
      holder: holderName({ kind: "model", project, id: origin.runId || (loggedModelId ?? "") }),
      ttlMs: REFERENCE_TTL_MS,
    };
    await Promise.all(files.map(({ digest }) => blobs.pin(digest, pin)));
  };
}
