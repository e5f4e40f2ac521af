import { randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "@trainyard/blob";
import { type Assignment, attemptKey } from "../domain/assignment.ts";
import { localManifest, shardDigests } from "../domain/dataset-manifest.ts";
import { inputPathProblem, relativePathProblem } from "../domain/placed-path.ts";
import { syncFolder, writeDurably } from "../ranks/durable-file.ts";
import { ownFolder, WORK_FOLDER } from "../ranks/shim-spec.ts";
import { ASSIGNMENT_FILE } from "../ranks/spool.ts";
import type { BlobCache } from "./blob-cache.ts";
import type { CodeCache } from "./code-cache.ts";
import { checkDataPaths } from "./data-paths.ts";
import type { DiskKeeper } from "./disk-keeper.ts";
import { fetchBlob } from "./fetch-blob.ts";
import { placeSecrets, type SecretClient, secretEnv } from "./place-secrets.ts";
import { StartError, step } from "./start-error.ts";

/** Files fetched at once for one attempt. */
const FETCHES_AT_ONCE = 8;

/** Largest dataset manifest. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

const TEMPORARY_PREFIX = ".preparing-";

/** The dataset's files in an attempt's directory: links into the cache, so that evicting there takes nothing away here. */
const SHARDS = "shards";

/** What preparing draws on. */
export interface PrepareDeps {
  /** `<agentDir>/attempts`. */
  readonly attemptsDir: string;
  readonly blobs: BlobStore;
  readonly blobCache: BlobCache;
  readonly codeCache: CodeCache;
  readonly disk: DiskKeeper;
  readonly secrets: SecretClient;
  /** Folders of this node that jobs may be given to read. */
  readonly dataRoots: readonly string[];
}

/** Removes directories that an agent that was killed left half prepared, or half deleted: their names begin with a dot. */
export async function clearUnprepared(attemptsDir: string): Promise<void> {
  await mkdir(attemptsDir, { recursive: true, mode: 0o700 });
  const left = (await readdir(attemptsDir)).filter((name) => name.startsWith("."));
  await Promise.all(left.map((name) => rm(join(attemptsDir, name), { recursive: true, force: true })));
}

/**
 * Makes an attempt's directory: code, data, checkpoint, inputs and the shim's `spec.json`. Everything is put together
 * under another name and renamed when it is whole and synced, so that a directory with the attempt's name can always be
 * started from. Without a `spec` it lacks the shim's input, which is written when the job's Python is there. Throws `StartError`, or the signal's reason when the attempt was stopped meanwhile.
 */
export async function prepareAttempt(
  deps: PrepareDeps,
  assignment: Assignment,
  files: {
    readonly assignment: Uint8Array;
    readonly spec: ((secrets: Readonly<Record<string, string>>) => string) | undefined;
  },
  signal: AbortSignal,
): Promise<void> {
  const final = join(deps.attemptsDir, attemptKey(assignment));
  const dir = join(deps.attemptsDir, `${TEMPORARY_PREFIX}${randomUUID()}`);
  try {
    await step("START_FAILED", "making room on the disk", signal, () => deps.disk.makeRoom());
    await step("START_FAILED", "making the attempt's directory", signal, () => mkdir(dir, { mode: 0o700 }));
    await step("CODE_FETCH_FAILED", "fetching the code", signal, () => placeCode(deps, assignment, dir));
    await step("DATA_FETCH_FAILED", "fetching the dataset", signal, () =>
      placeDataset(deps, assignment, dir),
    );
    await step("DATA_FETCH_FAILED", "looking at the data's paths", signal, () =>
      checkDataPaths(deps.dataRoots, assignment.work.dataPaths),
    );
    await step("CHECKPOINT_FETCH_FAILED", "fetching the checkpoint", signal, () =>
      placeCheckpoint(deps, assignment, dir, signal),
    );
    await step("DATA_FETCH_FAILED", "fetching the inputs", signal, () => placeInputs(deps, assignment, dir));
    await step("SECRET_FETCH_FAILED", "placing the secrets", signal, () =>
      placeSecrets(deps.secrets, assignment, dir, signal),
    );
    deps.disk.changed();
    await step("START_FAILED", "writing the attempt's directory", signal, async () => {
      for (const { rank } of assignment.ranks)
        await mkdir(join(dir, `rank-${rank}`), { recursive: true, mode: 0o700 });
      await writeDurably(join(dir, ASSIGNMENT_FILE), files.assignment);
      if (files.spec !== undefined)
        await writeDurably(join(dir, "spec.json"), files.spec(await secretEnv(dir)));
      await rename(dir, final);
      await syncFolder(deps.attemptsDir);
    });
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function placeCode(deps: PrepareDeps, assignment: Assignment, dir: string): Promise<void> {
  const { codeDigest, ownFolders } = assignment.work;
  const own = ownFolders ? assignment.ranks.map(({ rank }) => ownFolder(rank)) : [];
  for (const folder of [WORK_FOLDER, ...own]) {
    const work = join(dir, folder);
    await mkdir(dirname(work), { recursive: true, mode: 0o700 });
    if (codeDigest === "") await mkdir(work, { mode: 0o700 });
    else await deps.codeCache.copyTo(codeDigest, work);
  }
}

async function placeDataset(deps: PrepareDeps, assignment: Assignment, dir: string): Promise<void> {
  const digest = assignment.datasetManifestDigest;
  if (digest === undefined) return;
  const folder = join(dir, SHARDS);
  await mkdir(folder, { mode: 0o700 });
  await deps.blobCache.linkTo(digest, join(folder, "manifest.json"));
  const text = await readFile(join(folder, "manifest.json"));
  if (text.length > MAX_MANIFEST_BYTES)
    throw new Error(`the manifest is larger than ${MAX_MANIFEST_BYTES} bytes`);
  const manifest: unknown = JSON.parse(text.toString("utf8"));
  await forEachAtOnce([...new Set(shardDigests(manifest))], (shard) =>
    deps.blobCache.linkTo(shard, join(folder, shard)),
  );
  const final = join(deps.attemptsDir, attemptKey(assignment), SHARDS);
  const local = localManifest(manifest, (shard) => join(final, shard));
  await writeDurably(join(dir, "dataset.json"), JSON.stringify(local));
}

/** All parts are there for every rank of the node: rank 0's holds what is the same on all ranks. */
async function placeCheckpoint(
  deps: PrepareDeps,
  assignment: Assignment,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  if (assignment.resume === undefined) return;
  await mkdir(join(dir, "resume"), { mode: 0o700 });
  await forEachAtOnce(assignment.resume, async (file) => {
    const problem = relativePathProblem(file.path);
    if (problem !== undefined)
      throw new Error(`the checkpoint's file ${JSON.stringify(file.path)} ${problem}`);
    const path = join(dir, "resume", `rank-${file.rank}`, file.path);
    await fetchBlob(deps.blobs, file.digest, path, { signal, maxBytes: file.sizeBytes });
  });
}

async function placeInputs(deps: PrepareDeps, assignment: Assignment, dir: string): Promise<void> {
  for (const { path, digest } of assignment.work.inputs) {
    const problem = inputPathProblem(path);
    if (problem !== undefined) {
      throw new StartError("START_FAILED", `The input ${JSON.stringify(path)} ${problem}.`);
    }
    const target = join(dir, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    // A copy, for the ranks may write what is in their directory.
    await deps.blobCache.copyTo(digest, target);
    await chmod(target, 0o600);
  }
}

async function forEachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: FETCHES_AT_ONCE }, async () => {
    for (const item of left) await work(item);
  });
  await Promise.all(workers);
}
