import { DomainError } from "@trainyard/domain";

/** Every folder that a path lies in: `a` and `a/b` of `a/b/c`. */
export function foldersOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/**
 * The paths below a folder, as a range of texts: from `first` and before `end`. "0" follows "/", so no path below the
 * folder is outside of it, and no other path is inside.
 */
export function pathsBelow(folder: string): { readonly first: string; readonly end: string } {
  return { first: `${folder}/`, end: `${folder}0` };
}

/** One name would be a file and a folder, which no disk and no archive can hold. */
export function artifactPathTaken(path: string, taken: string): DomainError {
  const what = taken === path ? "a folder" : `below ${JSON.stringify(taken)}, which is a file`;
  return new DomainError(
    "failed_precondition",
    "ARTIFACT_PATH_TAKEN",
    `${JSON.stringify(path)} is ${what} of this run. Choose another path, or delete what is there.`,
    { metadata: { path, taken } },
  );
}

/** The run keeps no file there. */
export function artifactNotFound(runId: string, path: string): DomainError {
  return new DomainError(
    "not_found",
    "ARTIFACT_NOT_FOUND",
    `Run ${runId} keeps no file at ${JSON.stringify(path)}; ListArtifactTree shows what it keeps.`,
    { metadata: { run_id: runId, path } },
  );
}

/** A folder is deleted only when that is said. */
export function artifactIsFolder(path: string): DomainError {
  return new DomainError(
    "failed_precondition",
    "ARTIFACT_IS_FOLDER",
    `${JSON.stringify(path)} is a folder: set recursive to delete everything below it.`,
    { metadata: { path } },
  );
}
