import type { Principal } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { artifactIsFolder } from "../domain/artifact-path.ts";
import type { Artifact } from "../domain/run-record.ts";
import { findChangeable } from "./change-run.ts";

/** Takes a file, or with `recursive` a folder, out of the run's record, and gives what went. Throws RUN_DELETED. */
export async function deleteArtifact(
  deps: Deps,
  tx: Tx,
  asked: {
    readonly runId: string;
    readonly path: string;
    readonly recursive: boolean;
    readonly principal: Principal;
  },
): Promise<readonly Artifact[]> {
  const { runs, artifacts } = deps.records;
  const { runId, path, recursive, principal } = asked;
  await findChangeable(deps, tx, runId, principal);
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
