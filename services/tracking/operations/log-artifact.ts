import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import type { StoredFile } from "../domain/checkpoint.ts";
import { assertNotFenced, runNotFound } from "../domain/errors.ts";
import { assertReporter } from "../domain/reporter.ts";
import { type PutArtifact, saveArtifact } from "./put-artifact.ts";

/** Records a file of an attempt. Refused to a fenced attempt. */
export async function logArtifact(
  deps: Deps,
  tx: Tx,
  report: {
    readonly runId: string;
    readonly attempt: number;
    readonly file: StoredFile;
    readonly nodeId: string;
    readonly actor: string;
  },
): Promise<PutArtifact> {
  const { runId, attempt, file, nodeId, actor } = report;
  const run = await deps.records.runs.find(runId, tx);
  if (run === undefined) throw runNotFound(runId);
  assertNotFenced(run, attempt);
  assertReporter(run, nodeId);
  return await saveArtifact(deps, tx, run, file, { attempt, actor });
}
