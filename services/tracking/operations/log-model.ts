import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { filesDigest } from "../domain/checkpoint.ts";
import { assertNotFenced, runNotFound } from "../domain/errors.ts";
import { assertReporter } from "../domain/reporter.ts";
import type { LoggedModel } from "../domain/run-record.ts";

/** Records the model that a run keeps; a second one replaces the first. Refused to a fenced attempt. */
export async function logModel(
  deps: Deps,
  tx: Tx,
  report: {
    readonly runId: string;
    readonly attempt: number;
    readonly nodeId: string;
    readonly model: Omit<LoggedModel, "digest">;
  },
): Promise<LoggedModel> {
  const { runId, attempt, nodeId, model } = report;
  const run = await deps.records.runs.find(runId, tx);
  if (run === undefined) throw runNotFound(runId);
  assertNotFenced(run, attempt);
  assertReporter(run, nodeId);
  const logged: LoggedModel = { ...model, digest: filesDigest(model.files) };
  await deps.records.runs.save(tx, { ...run, version: run.version + 1, model: logged });
  return logged;
}
