import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import type { Tx } from "@trainyard/store";
import { recordSpan } from "@trainyard/telemetry";
import type { Deps } from "../deps.ts";
import {
  type Checkpoint,
  type CheckpointKind,
  type CheckpointPart,
  filesOf,
  isWhole,
  type ReportedMetrics,
  samePart,
  withPart,
} from "../domain/checkpoint.ts";
import { checkpointsToPrune } from "../domain/checkpoint-retention.ts";
import { assertNotFenced, invalidField, runNotFound } from "../domain/errors.ts";
import {
  DEFAULT_CHECKPOINTS_KEPT,
  MAX_CHECKPOINT_SPANS,
  MAX_FILES_PER_CHECKPOINT,
} from "../domain/limits.ts";
import { assertReporter } from "../domain/reporter.ts";
import { chooseResume } from "../domain/resume-point.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { creatingTransaction } from "../store/session.ts";
import { checkpointForEvent } from "../wire/checkpoint-to-proto.ts";
import { releaseBlobs, withHeldBlobs } from "./held-blobs.ts";

/** One rank's part, as its agent reports it. */
export interface PartReport {
  readonly runId: string;
  /** The fencing token. */
  readonly attempt: number;
  readonly step: number;
  readonly kind: CheckpointKind;
  readonly worldSize: number;
  readonly part: CheckpointPart;
  readonly metrics: ReportedMetrics;
  /** The node whose agent reports it. */
  readonly nodeId: string;
  readonly actor: string;
}

/** What a report did. */
interface Outcome {
  readonly checkpoint: Checkpoint;
  /** The run, if this report committed the checkpoint, and what had to make room. */
  readonly committed?: { readonly run: RunRecord; readonly pruned: readonly Checkpoint[] };
}

/**
 * Stores one rank's part; the last part commits the checkpoint. The same part again gives the same answer, also after
 * the attempt was fenced, so that an agent which got no reply can settle. Returns the checkpoint once it is committed.
 */
export async function reportCheckpointPart(deps: Deps, report: PartReport): Promise<Checkpoint | undefined> {
  const { runId, part } = report;
  const id = newId("ckpt");
  const now = deps.now();
  const settled = await settledPart(deps, report);
  if (settled !== undefined) return whole(settled);
  const outcome = await withHeldBlobs(deps, runId, part.files, () =>
    creatingTransaction(deps.store, "report checkpoint part", (tx) => takePart(deps, tx, report, id, now)),
  );
  if (outcome.committed !== undefined) {
    crashPoint("tracking.checkpoint.committed");
    await afterCommit(deps, outcome.checkpoint, outcome.committed);
  }
  return whole(outcome.checkpoint);
}

function whole(checkpoint: Checkpoint): Checkpoint | undefined {
  return checkpoint.state === "collecting" ? undefined : checkpoint;
}

/**
 * The checkpoint, if it has this very part. Looked up before anything is pinned: the part's files may have been given up
 * since, and a fenced attempt shall not pin anything.
 */
async function settledPart(deps: Deps, report: PartReport): Promise<Checkpoint | undefined> {
  const run = await deps.records.runs.find(report.runId);
  if (run === undefined) throw runNotFound(report.runId);
  const known = await deps.records.checkpoints.findAt(report);
  const settled = known === undefined ? undefined : matchPart(known, report);
  if (settled === undefined) assertMayReport(run, report);
  return settled;
}

function assertMayReport(run: RunRecord, { attempt, nodeId, part }: PartReport): void {
  assertNotFenced(run, attempt);
  assertReporter(run, nodeId, part.rank);
}

/** The checkpoint, if it has the reported part; undefined, if it lacks that rank's; throws, if it has another. */
function matchPart(known: Checkpoint, report: PartReport): Checkpoint | undefined {
  const given = known.parts.find(({ rank }) => rank === report.part.rank);
  const same = given === undefined || samePart(given, report.part);
  if (known.worldSize !== report.worldSize || !same) throw partDiffers(report, known);
  return given === undefined ? undefined : known;
}

async function takePart(deps: Deps, tx: Tx, report: PartReport, id: string, now: Date): Promise<Outcome> {
  const { runId, attempt, step, kind, worldSize, part, metrics } = report;
  const { runs, checkpoints } = deps.records;
  const run = await runs.find(runId, tx);
  if (run === undefined) throw runNotFound(runId);
  const known = await checkpoints.findAt(report, tx);
  const settled = known === undefined ? undefined : matchPart(known, report);
  if (settled !== undefined) return { checkpoint: settled };
  assertMayReport(run, report);
  const begun: Checkpoint = {
    id,
    runId,
    attempt,
    step,
    kind,
    worldSize,
    state: "collecting",
    parts: [],
    metrics: [],
    createdAt: now,
  };
  const next = withPart(known ?? begun, part, metrics);
  if (filesOf(next.parts).length > MAX_FILES_PER_CHECKPOINT) {
    throw invalidField(
      "part.files",
      `a checkpoint has at most ${MAX_FILES_PER_CHECKPOINT} files in all (MAX_FILES_PER_CHECKPOINT)`,
    );
  }
  const by = { project: run.project, createdBy: report.actor };
  if (!isWhole(next)) {
    await checkpoints.save(tx, next, by);
    // Written, not only read: an attempt that opens at the same time conflicts with this part, as does another part.
    await runs.touch(tx, runId);
    return { checkpoint: next };
  }
  const checkpoint: Checkpoint = { ...next, state: "committed", committedAt: now };
  await checkpoints.save(tx, checkpoint, by);
  return { checkpoint, committed: await commit(deps, tx, run, checkpoint, report.actor) };
}

async function commit(deps: Deps, tx: Tx, run: RunRecord, checkpoint: Checkpoint, actor: string) {
  const { runs, checkpoints } = deps.records;
  const others = (await checkpoints.ofRun(run.id, tx)).filter(({ id }) => id !== checkpoint.id);
  const all = [...others, checkpoint];
  const resumedFrom = run.attempts.find(({ number }) => number === run.currentAttempt)?.resumedFrom;
  const best = run.submission?.bestKept;
  const keep = {
    newest: run.submission?.checkpointsKept ?? DEFAULT_CHECKPOINTS_KEPT,
    ...(best === undefined ? {} : { best }),
  };
  const pruned = checkpointsToPrune(all, keep, resumedFrom?.checkpointId);
  await checkpoints.markPruned(
    tx,
    pruned.map(({ id }) => id),
  );
  const next: RunRecord = {
    ...run,
    version: run.version + 1,
    latestCheckpointId: chooseResume(run.attempts, all)?.id ?? checkpoint.id,
    checkpointsCommitted: run.checkpointsCommitted + 1,
  };
  await runs.save(tx, next);
  await tx.emit({
    schema: tracking.CheckpointCommittedSchema,
    project: run.project,
    id: run.id,
    aggregateVersion: next.version,
    actor,
    data: create(tracking.CheckpointCommittedSchema, {
      checkpoint: checkpointForEvent(checkpoint),
      jobId: run.jobId,
    }),
    traceparent: run.submission?.traceparent,
  });
  return { run: next, pruned };
}

async function afterCommit(
  deps: Deps,
  checkpoint: Checkpoint,
  { run, pruned }: NonNullable<Outcome["committed"]>,
): Promise<void> {
  deps.signals.raise(run.id);
  if (run.checkpointsCommitted <= MAX_CHECKPOINT_SPANS) {
    recordSpan("checkpoint", {
      tracerName: "tracking",
      parent: run.submission?.traceparent,
      startTime: checkpoint.createdAt,
      endTime: checkpoint.committedAt ?? checkpoint.createdAt,
      attributes: {
        "trainyard.run": run.id,
        "trainyard.attempt": checkpoint.attempt,
        "trainyard.step": checkpoint.step,
        "trainyard.checkpoint_kind": checkpoint.kind,
      },
    });
  }
  if (pruned.length > 0) {
    await releaseBlobs(
      deps,
      run.id,
      pruned.flatMap(({ parts }) => filesOf(parts)),
    );
  }
}

function partDiffers({ runId, attempt, step, worldSize, part }: PartReport, known: Checkpoint): DomainError {
  const what =
    known.worldSize === worldSize
      ? "was reported before with other files or another offset"
      : `belongs to a gang of ${known.worldSize} ranks, not ${worldSize}`;
  return new DomainError(
    "already_exists",
    "CHECKPOINT_PART_DIFFERS",
    `The part of rank ${part.rank} for step ${step} of attempt ${attempt} of ${runId} ${what}; a checkpoint never changes.`,
    { metadata: { run_id: runId, attempt: String(attempt), step: String(step), rank: String(part.rank) } },
  );
}
