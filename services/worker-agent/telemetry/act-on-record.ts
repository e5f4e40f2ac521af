import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { BlobStore } from "@trainyard/blob";
import { tracking } from "@trainyard/contracts";
import { assertArtifactPath } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { relativePathProblem } from "../domain/placed-path.ts";
import {
  type CheckpointFile,
  type CheckpointRecord,
  type FactsRecord,
  type HandoverRecord,
  MAX_RECORD_FILES,
  type ModelRecord,
  type RankRecord,
  type RecoveryRecord,
} from "../domain/rank-record.ts";
import { UnusableFileError } from "./open-inside.ts";
import { passFile } from "./pass-file.ts";
import type { RankIdentity } from "./rank-stream.ts";
import { uploadFile } from "./upload-file.ts";

export type TrackingClient = Client<typeof tracking.TrackingService>;

/** What acting on a rank's records needs. */
export interface ActDeps {
  readonly blobs: BlobStore;
  readonly tracking: TrackingClient;
  readonly attemptDir: string;
  readonly signal: AbortSignal;
  /** Whether every process of the attempt is dead. */
  readonly ended: () => boolean;
}

type StoredFile = { readonly path: string; readonly digest: string; readonly sizeBytes: bigint };

/**
 * Does what a record asks for: uploads its files, then reports them to tracking. Safe to repeat: blobs are named by their
 * content, and the request id names the record. Throws `UnusableFileError` where the record's files are at fault.
 */
export async function actOnRecord(
  deps: ActDeps,
  of: RankIdentity,
  offset: number,
  record: RankRecord,
): Promise<void> {
  const call = {
    requestId: `${of.runId}.${of.attempt}.${of.rank}.${offset}`,
    runId: of.runId,
    attempt: of.attempt,
  };
  switch (record.kind) {
    case "checkpoint":
      return reportCheckpoint(deps, of, call, record);
    case "artifact":
      return logArtifact(deps, of, call, record);
    case "model":
      return logModel(deps, of, call, record);
    case "recovery":
    case "handover":
      return reportRecovery(deps, call, record);
    case "params":
    case "tags":
    case "note":
      return logRunFacts(deps, of, call, record);
    case "first_step":
    case "phase":
    case "ignored":
      return;
  }
}

/** Frees the disk of what is stored elsewhere by now. Only after the record was marked as acted upon. */
export async function cleanUpAfter(deps: ActDeps, record: RankRecord): Promise<void> {
  if (record.kind !== "checkpoint" || relativePathProblem(record.dir) !== undefined) return;
  if (!record.dir.startsWith("ckpt/")) return;
  await rm(join(deps.attemptDir, record.dir), { recursive: true, force: true });
}

interface Call {
  readonly requestId: string;
  readonly runId: string;
  readonly attempt: number;
}

async function reportCheckpoint(
  deps: ActDeps,
  of: RankIdentity,
  call: Call,
  record: CheckpointRecord,
): Promise<void> {
  const files: StoredFile[] = [];
  for (const file of record.files) {
    const { path, sizeBytes } = file;
    const problem = relativePathProblem(path);
    if (problem !== undefined)
      throw new UnusableFileError(`the path ${JSON.stringify(path.slice(0, 200))} ${problem}`);
    const place = join(record.dir, path);
    files.push(
      record.stream ? await pass(deps, of, file, place) : await upload(deps, of, path, place, sizeBytes),
    );
  }
  crashPoint("agent.upload.uploaded");
  const request = create(tracking.ReportCheckpointPartRequestSchema, {
    ...call,
    step: BigInt(record.step),
    worldSize: record.worldSize,
    kind: record.justInTime ? tracking.CheckpointKind.JUST_IN_TIME : tracking.CheckpointKind.PERIODIC,
    part: { rank: of.rank, files, recordsOffset: BigInt(record.recordsOffset) },
    metrics: { ...record.metrics },
  });
  await deps.tracking.reportCheckpointPart(request, { signal: deps.signal });
  crashPoint("agent.upload.reported");
}

async function reportRecovery(
  deps: ActDeps,
  call: Call,
  record: RecoveryRecord | HandoverRecord,
): Promise<void> {
  const { JUST_IN_TIME, LAST_CHECKPOINT } = tracking.RecoveryMode;
  const { reason, message } = record;
  const what =
    record.kind === "recovery"
      ? {
          recovery: {
            mode: record.mode === "just-in-time" ? JUST_IN_TIME : LAST_CHECKPOINT,
            reason,
            message,
          },
        }
      : {
          handover: {
            saved: record.saved,
            step: BigInt(record.step),
            reason,
            message,
            seconds: record.seconds,
          },
        };
  await deps.tracking.reportRecovery({ ...call, ...what }, { signal: deps.signal });
}

async function logRunFacts(deps: ActDeps, of: RankIdentity, call: Call, record: FactsRecord): Promise<void> {
  const { params, tags, note, noteAt } = record;
  const at = noteAt === undefined ? {} : { noteStep: BigInt(noteAt.step), noteKey: noteAt.key };
  const request = { ...call, rank: of.rank, params: { ...params }, tags: { ...tags }, note, ...at };
  await deps.tracking.logRunFacts(request, { signal: deps.signal });
  crashPoint("agent.facts.reported");
}

async function logArtifact(
  deps: ActDeps,
  of: RankIdentity,
  call: Call,
  record: { readonly path: string; readonly file: string },
): Promise<void> {
  assertArtifactPath("path", record.path);
  const file = await upload(deps, of, record.path, record.file);
  crashPoint("agent.upload.uploaded");
  await deps.tracking.logArtifact({ ...call, file }, { signal: deps.signal });
  crashPoint("agent.upload.reported");
}

async function logModel(deps: ActDeps, of: RankIdentity, call: Call, record: ModelRecord): Promise<void> {
  const files: StoredFile[] = [];
  for (const path of await filesBelow(deps.attemptDir, record.dir)) {
    assertArtifactPath("path", path);
    files.push(await upload(deps, of, path, join(record.dir, path)));
  }
  crashPoint("agent.upload.uploaded");
  const tensors = (specs: ModelRecord["inputs"]) =>
    specs.map(({ name, dtype, shape }) => ({ name, dtype, shape: shape.map(BigInt) }));
  const request = create(tracking.LogModelRequestSchema, {
    ...call,
    model: {
      name: record.name,
      files,
      framework: record.framework,
      signature: { inputs: tensors(record.inputs), outputs: tensors(record.outputs) },
      metrics: { ...record.metrics },
      step: BigInt(record.step),
    },
  });
  await deps.tracking.logModel(request, { signal: deps.signal });
  crashPoint("agent.upload.reported");
}

async function upload(
  deps: ActDeps,
  of: RankIdentity,
  name: string,
  path: string,
  sizeBytes?: number,
): Promise<StoredFile> {
  deps.signal.throwIfAborted();
  const stored = await uploadFile(deps.blobs, {
    folder: deps.attemptDir,
    path,
    holder: holderOf(of),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  });
  return { path: name, digest: stored.digest, sizeBytes: BigInt(stored.sizeBytes) };
}

/** As `upload`, of what the rank serves from its memory. */
async function pass(
  deps: ActDeps,
  of: RankIdentity,
  { path, sizeBytes, digest }: CheckpointFile,
  place: string,
): Promise<StoredFile> {
  const { blobs, attemptDir, signal, ended } = deps;
  const served = { folder: attemptDir, path: place, sizeBytes, ended, signal };
  await passFile(blobs, served, { digest, holder: holderOf(of) });
  return { path, digest, sizeBytes: BigInt(sizeBytes) };
}

function holderOf({ runId, attempt }: RankIdentity): string {
  return `attempt:${runId}:${attempt}`;
}

/** The plain files below a model's folder, by their path in it. Links are left out; the folder itself may be none. */
async function filesBelow(attemptDir: string, dir: string): Promise<string[]> {
  const problem = relativePathProblem(dir);
  if (problem !== undefined)
    throw new UnusableFileError(`the folder ${JSON.stringify(dir.slice(0, 200))} ${problem}`);
  const folder = join(attemptDir, dir);
  const found: string[] = [];
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) found.push(relative(folder, join(entry.parentPath, entry.name)));
      if (found.length > MAX_RECORD_FILES)
        throw new UnusableFileError(`${dir} holds more than ${MAX_RECORD_FILES} files`);
    }
  } catch (error) {
    if (error instanceof UnusableFileError) throw error;
    throw new UnusableFileError(`the folder ${JSON.stringify(dir.slice(0, 200))} cannot be read`, {
      cause: error,
    });
  }
  if (found.length === 0)
    throw new UnusableFileError(`the folder ${JSON.stringify(dir.slice(0, 200))} holds no file`);
  return found.sort();
}
