import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { artifactIsFolder } from "../domain/artifact-path.ts";
import { runNotFound } from "../domain/errors.ts";
import type { Artifact } from "../domain/run-record.ts";

/** Takes a file, or with `recursive` a folder, out of the run's record, and gives what went. */
export async function deleteArtifact(
  deps: Deps,
  tx: Tx,
  { runId, path, recursive }: { readonly runId: string; readonly path: string; readonly recursive: boolean },
): Promise<readonly Artifact[]> {
  const { runs, artifacts } = deps.records;
  if ((await runs.find(runId, tx)) === undefined) throw runNotFound(runId);
  await runs.touch(tx, runId);
  const file = await artifacts.find(runId, path, tx);
  const below = await artifacts.below(runId, path, tx);
  if (below.length > 0 && !recursive) throw artifactIsFolder(path);
  const gone = file === undefined ? below : [file, ...below];
  await artifacts.remove(
    tx,
    runId,
    gone.map((artifact) => artifact.path),
  );
  return gone;
}
