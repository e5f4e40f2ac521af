import { DomainError, isId } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { assertExperimentName, assertTotal } from "../domain/check-texts.ts";
import { experimentDeleted, invalidField, runDeleted } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import { MAX_NESTING } from "../domain/limits.ts";
import { mergeTexts, type NamedText } from "../domain/named-text.ts";
import { bareRun, type RunRecord } from "../domain/run-record.ts";
import { isFinal, type RunStatus } from "../domain/run-status.ts";
import { emitCreated } from "./emit-run.ts";
import { saveEnded } from "./end-run.ts";
import { ensureExperiment } from "./ensure-experiment.ts";
import { findActiveExperiment } from "./find-experiment.ts";

/** An outside run to open. */
export interface NewRun {
  readonly id: string;
  readonly project: string;
  /** Id or name; a new name makes the experiment. */
  readonly experiment: string;
  readonly name: string;
  readonly note: string;
  readonly params: readonly NamedText[];
  readonly tags: readonly NamedText[];
  readonly parentRunId: string;
  readonly idleLimitMs: number;
  readonly status: RunStatus;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly actor: string;
}

/** Opens an outside run, with its events: its creation, and its end where an import brings a finished one. */
export async function createRun(deps: Deps, tx: Tx, request: NewRun): Promise<RunRecord> {
  const { id, project, actor, status } = request;
  const experiment = await experimentOf(deps, tx, request);
  await assertParent(deps, tx, request);
  await deps.runRoom.take(tx, experiment.id);
  const createdAt = deps.now();
  const params = mergeTexts([], request.params);
  const tags = mergeTexts([], request.tags);
  assertTotal("params", params);
  assertTotal("tags", tags);
  const run: RunRecord = {
    ...bareRun({ id, project, jobId: "", createdBy: actor, createdAt }),
    version: 1,
    name: request.name === "" ? defaultName(id) : request.name,
    experimentId: experiment.id,
    note: request.note,
    params,
    tags,
    parentRunId: request.parentRunId,
    idleLimitMs: request.idleLimitMs,
    status: isFinal(status) ? "running" : status,
    startedAt: request.startedAt ?? createdAt,
  };
  await deps.records.runs.save(tx, run);
  await emitCreated(tx, run, experiment, actor);
  if (!isFinal(status)) return run;
  return await saveEnded(deps, tx, { ...run, status, endedAt: request.endedAt ?? createdAt }, actor);
}

async function experimentOf(deps: Deps, tx: Tx, request: NewRun): Promise<Experiment> {
  const { project, experiment: idOrName, actor } = request;
  if (isId("exp", idOrName)) return await findActiveExperiment(deps, project, idOrName, tx);
  assertExperimentName("experiment", idOrName);
  const found = await ensureExperiment(deps, tx, project, idOrName, { by: actor, actor });
  if (found.lifecycle === "deleted") throw experimentDeleted(found);
  return found;
}

/** Throws unless the run may be nested where it is asked to be. */
async function assertParent(deps: Deps, tx: Tx, { parentRunId, project }: NewRun): Promise<void> {
  let above = parentRunId;
  for (let depth = 0; above !== ""; depth++) {
    if (depth >= MAX_NESTING) {
      throw invalidField("parent_run_id", `expected at most ${MAX_NESTING} runs above it (MAX_NESTING)`);
    }
    const parent = await deps.records.runs.find(above, tx);
    if (depth === 0) {
      if (parent === undefined || parent.project !== project) throw parentNotFound(parentRunId);
      if (parent.lifecycle === "deleted") throw runDeleted(parentRunId);
    }
    above = parent?.parentRunId ?? "";
  }
}

function parentNotFound(parentRunId: string): DomainError {
  const message = `parent_run_id: there is no run ${parentRunId} to nest this one in.`;
  return new DomainError("not_found", "PARENT_RUN_NOT_FOUND", message, {
    metadata: { parent_run_id: parentRunId },
  });
}

/** What a run is called that nobody named: the end of its id, which is the part that differs. */
function defaultName(id: string): string {
  return `run-${id.slice(-8)}`;
}
