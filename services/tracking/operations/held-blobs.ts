import { holderName, isDigest, isHeldIn } from "@trainyard/blob";
import { assertArtifactPath, DomainError } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { filesOf, type StoredFile } from "../domain/checkpoint.ts";
import { invalidField, runNotFound } from "../domain/errors.ts";
import type { RunRecord } from "../domain/run-record.ts";

/** A committed reference lasts until it is given up; pins have an end, so this is longer than anybody keeps a run. */
const REFERENCE_TTL_MS = 10 * 365 * 24 * 60 * 60 * 1000;

/** Whose pins a run's references are. */
export function runHolder({ id, project }: Pick<RunRecord, "id" | "project">): string {
  return holderName({ kind: "run", project, id });
}

const digestsOf = (files: readonly StoredFile[]) => [...new Set(files.map(({ digest }) => digest))];

/** Throws `invalid_argument` unless paths, digests and number of the files are acceptable. */
export function assertFiles(
  field: string,
  files: readonly StoredFile[],
  limit: number,
  limitName: string,
): void {
  if (files.length > limit) {
    throw invalidField(field, `expected at most ${limit} files (${limitName}), got ${files.length}`);
  }
  const paths = new Set<string>();
  for (const [index, file] of files.entries()) {
    const at = `${field}[${index}]`;
    assertArtifactPath(`${at}.path`, file.path);
    if (!isDigest(file.digest))
      throw invalidField(`${at}.digest`, "expected a SHA-256 as 64 lower-case hex digits");
    if (file.sizeBytes < 0)
      throw invalidField(`${at}.size_bytes`, "expected a number of bytes, not less than 0");
    if (paths.has(file.path)) throw invalidField(`${at}.path`, `${JSON.stringify(file.path)} is there twice`);
    paths.add(file.path);
  }
}

/**
 * Throws BLOB_MISSING unless something of the caller's project holds the file already, such as his upload of it: who only
 * knows a digest does not come by its content.
 */
export async function assertOwnBlob(
  blobs: Deps["blobs"],
  { project }: Principal,
  file: StoredFile,
): Promise<void> {
  if (project === undefined || (await isHeldIn(blobs, file.digest, project))) return;
  throw blobMissing(file, "was not uploaded to this project, or more than a day ago");
}

/** Pins the files for the run, and only then makes sure that they exist. Throws `failed_precondition` BLOB_MISSING. */
async function holdBlobs(deps: Deps, run: RunRecord, files: readonly StoredFile[]): Promise<void> {
  await pinBlobs(deps, run, files);
  for (const file of files) {
    const found = await deps.blobs.stat(file.digest);
    if (found?.sizeBytes === file.sizeBytes) continue;
    const what = found === undefined ? "is not in the blob store" : `has ${found.sizeBytes} bytes there`;
    throw blobMissing(file, what);
  }
}

/** Pins the files for the run. Done again after the commit, since a release at the same time may have unpinned one. */
export async function pinBlobs(
  deps: Deps,
  run: Pick<RunRecord, "id" | "project">,
  files: readonly StoredFile[],
): Promise<void> {
  const pin = { holder: runHolder(run), ttlMs: REFERENCE_TTL_MS };
  await Promise.all(digestsOf(files).map((digest) => deps.blobs.pin(digest, pin)));
}

/** Gives up those of the files that nothing of the run refers to any more. Failing to only keeps bytes longer. */
export async function releaseBlobs(deps: Deps, runId: string, files: readonly StoredFile[]): Promise<void> {
  try {
    const { runs, checkpoints, artifacts } = deps.records;
    const run = await runs.find(runId);
    if (run === undefined) return;
    const kept = (await checkpoints.ofRun(runId)).filter(({ state }) => state !== "pruned");
    const referred = new Set([
      ...digestsOf(kept.flatMap(({ parts }) => filesOf(parts))),
      ...(await artifacts.ofRun(runId)).map(({ digest }) => digest),
      ...digestsOf(run.model?.files ?? []),
    ]);
    const released = digestsOf(files).filter((digest) => !referred.has(digest));
    await Promise.all(released.map((digest) => deps.blobs.unpin(digest, runHolder(run))));
  } catch (error) {
    deps.logger.warn({ err: error, runId }, "blobs that nothing refers to stay pinned");
  }
}

/**
 * Runs `fn` with the files held; if it fails, they are given up again. What `fn` says that it has replaced is given up
 * after it.
 */
export async function withHeldBlobs<T>(
  deps: Deps,
  runId: string,
  files: readonly StoredFile[],
  fn: (replaces: (file: StoredFile | undefined) => void) => Promise<T>,
): Promise<T> {
  const run = await deps.records.runs.find(runId);
  if (run === undefined) throw runNotFound(runId);
  let replaced: StoredFile | undefined;
  try {
    await holdBlobs(deps, run, files);
    const result = await fn((file) => {
      replaced = file;
    });
    await pinBlobs(deps, run, files);
    if (replaced !== undefined) await releaseBlobs(deps, runId, [replaced]);
    return result;
  } catch (error) {
    if (error instanceof DomainError) await releaseBlobs(deps, runId, files);
    throw error;
  }
}

function blobMissing({ path, digest, sizeBytes }: StoredFile, what: string): DomainError {
  return new DomainError(
    "failed_precondition",
    "BLOB_MISSING",
    `File ${JSON.stringify(path)} (${digest}, ${sizeBytes} bytes) ${what}; upload it whole, then report it again.`,
    { metadata: { path, digest } },
  );
}
