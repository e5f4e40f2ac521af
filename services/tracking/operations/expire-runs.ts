import { holderName } from "@trainyard/blob";
import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { type Checkpoint, filesOf, totalBytes } from "../domain/checkpoint.ts";
import { daysBefore, type RunVersion, whyExpired } from "../domain/retention.ts";
import type { Artifact } from "../domain/run-record.ts";
import type { EndedRun } from "../store/retained-runs.ts";
import type { Collection, Garbage } from "./collect-garbage.ts";
import { releaseBlobs } from "./held-blobs.ts";

/** Artifacts and checkpoints of runs that ended long ago go, as the policy says; the runs and their points stay. */
export async function* expireRuns(deps: Deps, collection: Collection): AsyncGenerator<Garbage> {
  const { artifactDays, checkpointDays, keepNewestRuns } = collection.policy;
  const limits = [artifactDays, checkpointDays].filter((days) => days > 0);
  if (limits.length === 0) return;
  const before = daysBefore(deps.now(), Math.min(...limits));
  for await (const run of deps.records.retainedRuns.endedBefore(before, keepNewestRuns)) {
    collection.signal.throwIfAborted();
    yield* expireArtifacts(deps, run, collection);
    yield* expireCheckpoints(deps, run, collection);
  }
}

async function* expireArtifacts(
  deps: Deps,
  run: EndedRun,
  { policy, dryRun }: Collection,
): AsyncGenerator<Garbage> {
  const artifacts = await deps.records.artifacts.ofRun(run.id);
  const why =
    artifacts.length === 0 ? undefined : await reason(deps, run, policy.artifactDays, policy, artifacts);
  if (why === undefined) return;
  if (!dryRun) {
    await deps.store.transaction("expire artifacts", async (tx) => {
      await deps.records.runs.touch(tx, run.id);
      await deps.records.artifacts.remove(
        tx,
        run.id,
        artifacts.map(({ path }) => path),
      );
    });
    crashPoint("tracking.expire.committed");
    await releaseBlobs(deps, run.id, artifacts);
  }
  yield { kind: "artifacts", id: run.id, why, sizeBytes: totalBytes(artifacts) };
}

async function* expireCheckpoints(
  deps: Deps,
  run: EndedRun,
  { policy, dryRun }: Collection,
): AsyncGenerator<Garbage> {
  const kept = (await deps.records.checkpoints.ofRun(run.id)).filter(
    ({ state, heldBy = [] }) => state === "committed" && heldBy.length === 0,
  );
  const files = kept.flatMap(({ parts }) => filesOf(parts));
  const why = kept.length === 0 ? undefined : await reason(deps, run, policy.checkpointDays, policy, files);
  if (why === undefined) return;
  if (!dryRun) {
    const ids = kept.map(({ id }) => id);
    await deps.store.transaction("expire checkpoints", (tx) => deps.records.checkpoints.markPruned(tx, ids));
    crashPoint("tracking.expire.committed");
    await releaseBlobs(deps, run.id, files);
  }
  for (const checkpoint of kept) {
    yield { kind: "checkpoint", id: checkpoint.id, why, sizeBytes: bytesOf(checkpoint) };
  }
}

async function reason(
  deps: Deps,
  run: EndedRun,
  days: number,
  policy: Collection["policy"],
  files: readonly Pick<Artifact, "digest">[],
): Promise<string | undefined> {
  const facts = { ...run, endedAt: run.endedAt };
  const why = whyExpired({ ...facts, versions: [] }, days, policy, deps.now());
  if (why === undefined) return undefined;
  const versions = await versionsOf(deps, run, files);
  return whyExpired({ ...facts, versions }, days, policy, deps.now());
}

/**
 * What the registry has told of the run's model versions. One of which it has told nothing, since it is older than the
 * event stream, shows by its pin on the run's files.
 */
async function versionsOf(
  deps: Deps,
  run: EndedRun,
  files: readonly Pick<Artifact, "digest">[],
): Promise<RunVersion[]> {
  const known = await deps.records.runVersions.ofRun(run);
  if (known.some(({ isMadeOfRun }) => isMadeOfRun) || !(await isPinnedByRegistry(deps, run, files)))
    return known;
  return [...known, { name: `a model version of ${run.id}`, stage: "unknown", since: deps.now() }];
}

async function isPinnedByRegistry(
  deps: Deps,
  { id, project }: EndedRun,
  files: readonly Pick<Artifact, "digest">[],
): Promise<boolean> {
  const record = await deps.records.runs.find(id);
  const digests = new Set([...files, ...(record?.model?.files ?? [])].map(({ digest }) => digest));
  const holder = holderName({ kind: "model", project, id });
  for (const digest of digests) {
    if ((await deps.blobs.pins(digest)).includes(holder)) return true;
  }
  return false;
}

function bytesOf(checkpoint: Checkpoint): number {
  return totalBytes(filesOf(checkpoint.parts));
}
