import { actorOf, type Principal } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { artifactPathTaken } from "../domain/artifact-path.ts";
import type { StoredFile } from "../domain/checkpoint.ts";
import type { Artifact, RunRecord } from "../domain/run-record.ts";
import { findChangeable } from "./change-run.ts";

/** A file as it was recorded, and the one of the same path that it replaced. */
export interface PutArtifact {
  readonly artifact: Artifact;
  readonly replaced: Artifact | undefined;
}

/**
 * Records a file under its path; a second one of the same path replaces the first. Writes the run, so that of two
 * writers to one run one goes second and sees what the first has recorded. Throws ARTIFACT_PATH_TAKEN.
 */
export async function saveArtifact(
  deps: Deps,
  tx: Tx,
  run: RunRecord,
  file: StoredFile,
  by: { readonly attempt: number; readonly actor: string },
): Promise<PutArtifact> {
  const { runs, artifacts } = deps.records;
  await runs.touch(tx, run.id);
  const { path, digest, sizeBytes } = file;
  const taken = await artifacts.inTheWay(run.id, path, tx);
  if (taken !== undefined) throw artifactPathTaken(path, taken);
  const replaced = await artifacts.find(run.id, path, tx);
  const artifact: Artifact = { path, digest, sizeBytes, attempt: by.attempt, createdAt: deps.now() };
  await artifacts.save(tx, run.id, artifact, { project: run.project, createdBy: by.actor });
  return { artifact, replaced };
}

/** Records a file of an outside client: into any run, also one that has ended. Throws RUN_DELETED. */
export async function putArtifact(
  deps: Deps,
  tx: Tx,
  {
    runId,
    file,
    principal,
  }: { readonly runId: string; readonly file: StoredFile; readonly principal: Principal },
): Promise<PutArtifact> {
  const { run } = await findChangeable(deps, tx, runId, principal);
  return await saveArtifact(deps, tx, run, file, {
    attempt: run.currentAttempt,
    actor: actorOf(principal),
  });
}
