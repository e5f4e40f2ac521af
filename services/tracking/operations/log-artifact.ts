import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import type { StoredFile } from "../domain/checkpoint.ts";
import { assertNotFenced, runNotFound } from "../domain/errors.ts";
import type { Artifact } from "../domain/run-record.ts";

/** Records a file that a run keeps; a second file of the same path replaces the first. Refused to a fenced attempt. */
export async function logArtifact(
  deps: Deps,
  tx: Tx,
  report: {
    readonly runId: string;
    readonly attempt: number;
    readonly file: StoredFile;
    readonly actor: string;
  },
): Promise<Artifact> {
  const { runId, attempt, file, actor } = report;
  const run = await deps.records.runs.find(runId, tx);
  if (run === undefined) throw runNotFound(runId);
  assertNotFenced(run, attempt);
  await deps.records.runs.touch(tx, runId);
  const { path, digest, sizeBytes } = file;
  const artifact: Artifact = { path, digest, sizeBytes, attempt, createdAt: deps.now() };
  await deps.records.artifacts.save(tx, runId, artifact, { project: run.project, createdBy: actor });
  return artifact;
}
