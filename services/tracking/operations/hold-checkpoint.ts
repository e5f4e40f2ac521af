import { DomainError } from "@trainyard/domain";
import type { Deps } from "../deps.ts";
import type { Checkpoint } from "../domain/checkpoint.ts";
import { runNotFound } from "../domain/errors.ts";
import { chooseResume } from "../domain/resume-point.ts";
import { assertNotDeleted } from "./change-run.ts";

/** Steps that a refusal names, so that its reader can choose another one. */
const STEPS_NAMED = 20;

/** Which checkpoint another run shall start from. */
export interface CheckpointToHold {
  readonly runId: string;
  /** Absent: the newest of the run's history. */
  readonly step: number | undefined;
  readonly project: string;
  readonly forRunId: string;
}

/**
 * Finds a committed checkpoint and keeps it from being pruned while the other run is there. The write conflicts with a
 * pruning at the same moment, so that either this does not find the checkpoint, or the pruning sees that it is held.
 */
export async function holdCheckpoint(deps: Deps, wanted: CheckpointToHold): Promise<Checkpoint> {
  const { runs, checkpoints } = deps.records;
  const { runId, project, step, forRunId } = wanted;
  return deps.store.transaction("hold checkpoint", async (tx) => {
    const run = await runs.find(runId, tx);
    if (run === undefined || run.project !== project) throw runNotFound(runId);
    const all = (await checkpoints.ofRun(runId, tx)).filter(({ state }) => state === "committed");
    const held = all.find(({ heldBy }) => heldBy?.includes(forRunId));
    if (held !== undefined) return held;
    await assertNotDeleted(deps, run);
    const found =
      step === undefined
        ? chooseResume(run.attempts, all)
        : all.filter((one) => one.step === step).sort((a, b) => b.attempt - a.attempt)[0];
    if (found === undefined) throw checkpointNotFound(wanted, all);
    await runs.touch(tx, runId);
    await checkpoints.hold(tx, found.id, forRunId);
    return found;
  });
}

function checkpointNotFound({ runId, step }: CheckpointToHold, all: readonly Checkpoint[]): DomainError {
  const steps = [...new Set(all.map((one) => one.step))].sort((a, b) => b - a);
  const known =
    steps.length === 0
      ? "it has committed none"
      : `it has those of steps ${steps.slice(0, STEPS_NAMED).join(", ")}${steps.length > STEPS_NAMED ? ", …" : ""}`;
  return new DomainError(
    "not_found",
    "CHECKPOINT_NOT_FOUND",
    `Run ${runId} has no checkpoint ${step === undefined ? "to start from" : `of step ${step}`}: ${known}.`,
    { metadata: { run_id: runId } },
  );
}
