import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { filesOf } from "../domain/checkpoint.ts";
import { daysBefore, whyPurged } from "../domain/retention.ts";
import type { Collection, Garbage } from "./collect-garbage.ts";
import { runHolder } from "./held-blobs.ts";

/**
 * Runs that were deleted long ago go for good. The record goes first, in a transaction that a restoration conflicts with;
 * what is left is a row that says so, until pins, points, logs, artifacts and checkpoints are gone, too.
 */
export async function* purgeRuns(
  deps: Deps,
  { dryRun, policy, signal }: Collection,
): AsyncGenerator<Garbage> {
  const { purgedRuns, runVersions } = deps.records;
  if (!dryRun) await finishPurges(deps, signal);
  const days = policy.purgeDeletedAfterDays;
  if (days === 0) return;
  const now = deps.now();
  const before = daysBefore(now, days);
  for await (const run of purgedRuns.deletedBefore(before)) {
    signal.throwIfAborted();
    const { id, deletedAt } = run;
    const why = whyPurged({ deletedAt, versions: await runVersions.ofRun(run) }, policy, now);
    if (why === undefined) continue;
    const sizeBytes = await artifactBytes(deps, id);
    if (!dryRun && !(await purgedRuns.take(id, before, now))) continue; // Restored meanwhile.
    crashPoint("tracking.purge.taken");
    if (!dryRun) await finishPurges(deps, signal);
    yield { kind: "run", id, why, sizeBytes };
  }
}

/** Ends what was begun, also by a collection that died. */
async function finishPurges(deps: Deps, signal: AbortSignal): Promise<void> {
  const { purgedRuns, artifacts, checkpoints } = deps.records;
  for await (const { id, project, digests } of purgedRuns.all()) {
    signal.throwIfAborted();
    const kept = await checkpoints.ofRun(id);
    const referred = new Set([
      ...digests,
      ...(await artifacts.ofRun(id)).map(({ digest }) => digest),
      ...kept.flatMap(({ parts }) => filesOf(parts)).map(({ digest }) => digest),
    ]);
    for (const digest of referred) await deps.blobs.unpin(digest, runHolder({ id, project }));
    crashPoint("tracking.purge.unpinned");
    await checkpoints.releaseHeldBy(id);
    await purgedRuns.finish(id);
  }
}

async function artifactBytes(deps: Deps, runId: string): Promise<number> {
  const artifacts = await deps.records.artifacts.ofRun(runId);
  return artifacts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
