import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { uploadPin } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { archivePath, joinsPiece, pieceSpanMs } from "../domain/log-pieces.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { sourceKey, type TelemetrySource } from "../domain/telemetry-source.ts";
import type { ArchivedPiece, LogArchive } from "../store/log-archives.ts";
import type { LogBatch } from "../store/log-batches.ts";
import { withHeldBlobs } from "./held-blobs.ts";
import { saveArtifact } from "./put-artifact.ts";
import { readOutput, readOutputBackwards } from "./stored-output.ts";

const pack = promisify(gzip);

/** Pieces read ahead. */
const READ_AT_ONCE = 32;

/**
 * Moves an output into the blob store, as an artifact of its run: one gzip file, which any tool unpacks, made of a member
 * per piece, so that a reader fetches only those it wants. What came after an earlier archive is put in its place among
 * the rest. The file is complete in the store before the batches go, and they go in the transaction that names it.
 */
export async function archiveOutput(deps: Deps, run: RunRecord, source: TelemetrySource): Promise<void> {
  const { logs, logArchives } = deps.records;
  const batchIds = await logs.idsOf(source);
  if (batchIds.length === 0) return;
  const before = await earlierArchive(deps, source);
  const pieces: ArchivedPiece[] = [];
  const owner = `archive:${sourceKey(source)}`;
  const { digest, sizeBytes } = await deps.blobs.put(packed(deps, source, pieces), {
    pin: uploadPin(run.project, owner),
  });
  crashPoint("tracking.archive.uploaded");
  const file = { path: archivePath(source), digest, sizeBytes };
  await withHeldBlobs(deps, run.id, [file], async (replaces) => {
    const { replaced } = await deps.store.transaction("archive output", async (tx) => {
      const archive = { version: (before?.version ?? 0) + 1, digest, pieces };
      if (!(await logArchives.replace(tx, source, archive, run.project))) throw archivedByAnother(source);
      await logs.deleteByIds(tx, batchIds);
      return await saveArtifact(deps, tx, run, file, { attempt: source.attempt, actor: "tracking" });
    });
    replaces(replaced);
  });
  crashPoint("tracking.archive.committed");
}

/** Of one whose file somebody has deleted, nothing is left to be kept. */
async function earlierArchive(deps: Deps, source: TelemetrySource): Promise<LogArchive | undefined> {
  const { logArchives } = deps.records;
  const before = await logArchives.find(source);
  if (before === undefined || (await deps.blobs.stat(before.digest)) !== undefined) return before;
  await logArchives.forget(source, before.version);
  return undefined;
}

/** The archive's bytes; notes in `pieces` what is where. */
async function* packed(
  deps: Deps,
  source: TelemetrySource,
  pieces: ArchivedPiece[],
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const { data, ...piece } of outputPieces(deps, source)) {
    const member = await pack(data);
    pieces.push({ ...piece, at, packedBytes: member.byteLength });
    at += member.byteLength;
    yield member;
  }
}

/** Everything that is stored of the output, as the pieces that it is archived in. */
async function* outputPieces(deps: Deps, source: TelemetrySource) {
  const spanMs = await spanOf(deps, source);
  let piece: { begin: number; end: number; observedMs: number; parts: Uint8Array[] } | undefined;
  for await (const { begin, data, observedMs } of allOf(deps, source)) {
    const next = { begin, end: begin + data.byteLength, observedMs };
    if (piece !== undefined && joinsPiece(piece, next, spanMs)) {
      piece.end = next.end;
      piece.parts.push(data);
      continue;
    }
    if (piece !== undefined) yield whole(piece);
    piece = { ...next, parts: [data] };
  }
  if (piece !== undefined) yield whole(piece);
}

function whole({
  parts,
  ...piece
}: {
  readonly begin: number;
  readonly end: number;
  readonly observedMs: number;
  readonly parts: readonly Uint8Array[];
}) {
  return { ...piece, data: Buffer.concat(parts) };
}

async function* allOf(deps: Deps, source: TelemetrySource): AsyncGenerator<LogBatch> {
  let position = 0;
  for (;;) {
    const batches = await readOutput(deps, source, position, READ_AT_ONCE);
    if (batches.length === 0) return;
    for (const batch of batches) {
      yield batch;
      position = batch.begin + batch.data.byteLength;
    }
  }
}

async function spanOf(deps: Deps, source: TelemetrySource): Promise<number> {
  const [first] = await readOutput(deps, source, 0, 1);
  const last = (await readOutputBackwards(deps, source).next()).value as LogBatch | undefined;
  return first === undefined || last === undefined ? 0 : pieceSpanMs(first.observedMs, last.observedMs);
}

function archivedByAnother(source: TelemetrySource): DomainError {
  return new DomainError(
    "aborted",
    "ARCHIVED_BY_ANOTHER",
    `The output ${sourceKey(source)} was archived by another replica meanwhile.`,
  );
}
