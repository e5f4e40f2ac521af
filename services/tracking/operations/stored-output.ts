import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DomainError } from "@trainyard/domain";
import type { Deps } from "../deps.ts";
import { archivePath } from "../domain/log-pieces.ts";
import { sourceKey, type TelemetrySource } from "../domain/telemetry-source.ts";
import type { ArchivedPiece, LogArchive } from "../store/log-archives.ts";
import type { LogBatch } from "../store/log-batches.ts";

const unpack = promisify(gunzip);

/** Packed bytes fetched from an archive at once. */
const FETCH_BYTES = 1024 * 1024;

/** At most `limit` pieces of one output that end after `position`, in order, from wherever they are kept by now. */
export async function readOutput(
  deps: Deps,
  source: TelemetrySource,
  position: number,
  limit: number,
): Promise<LogBatch[]> {
  // In this order: what is moved in between is then found twice, never not at all.
  const recent = await deps.records.logs.readFrom(source, position, limit);
  const archive = await deps.records.logArchives.find(source);
  if (archive === undefined) return recent;
  const archived = archive.pieces.filter(({ end }) => end > position);
  const merged = [...archived, ...notIn(archive, recent)].sort((a, b) => a.begin - b.begin).slice(0, limit);
  const early: LogBatch[] = [];
  for (const piece of merged) {
    if (isArchived(piece)) break;
    early.push(piece);
  }
  if (early.length > 0 || merged.length === 0) return early;
  return await load(deps, source, archive, archived.slice(0, merged.filter(isArchived).length), merged);
}

/** Pieces of one output from its end backwards. */
export async function* readOutputBackwards(deps: Deps, source: TelemetrySource): AsyncGenerator<LogBatch> {
  let firstRecent = Number.POSITIVE_INFINITY;
  for await (const batch of deps.records.logs.readBackwards(source)) {
    firstRecent = batch.begin;
    yield batch;
  }
  const archive = await deps.records.logArchives.find(source);
  for (const piece of archive?.pieces.toReversed() ?? []) {
    if (archive === undefined || piece.begin >= firstRecent) continue;
    yield* await unpackPieces(deps, source, archive, [piece]);
  }
}

function isArchived(piece: LogBatch | ArchivedPiece): piece is ArchivedPiece {
  return "packedBytes" in piece;
}

function notIn({ pieces }: LogArchive, batches: readonly LogBatch[]): LogBatch[] {
  return batches.filter(({ begin }) => !pieces.some((piece) => piece.begin <= begin && begin < piece.end));
}

/** The pieces in order, as many as one fetch gives of those that are archived. */
async function load(
  deps: Deps,
  source: TelemetrySource,
  archive: LogArchive,
  archived: readonly ArchivedPiece[],
  merged: readonly (LogBatch | ArchivedPiece)[],
): Promise<LogBatch[]> {
  const start = archived[0]?.at ?? 0;
  const within = archived.filter(
    ({ at, packedBytes }, index) => index === 0 || at + packedBytes - start <= FETCH_BYTES,
  );
  const unpacked = new Map(
    (await unpackPieces(deps, source, archive, within)).map((piece) => [piece.begin, piece]),
  );
  const loaded: LogBatch[] = [];
  for (const piece of merged) {
    const batch = isArchived(piece) ? unpacked.get(piece.begin) : piece;
    if (batch === undefined) break;
    loaded.push(batch);
  }
  return loaded;
}

/** Pieces that lie one after the other in the archive. */
async function unpackPieces(
  deps: Deps,
  source: TelemetrySource,
  archive: LogArchive,
  pieces: readonly ArchivedPiece[],
): Promise<LogBatch[]> {
  const start = pieces[0]?.at ?? 0;
  const last = pieces.at(-1);
  if (last === undefined) return [];
  const packed = await fetchPacked(deps, source, archive.digest, start, last.at + last.packedBytes - 1);
  return await Promise.all(
    pieces.map(async ({ begin, end, observedMs, at, packedBytes }) => ({
      begin,
      observedMs,
      leftOutBytes: 0,
      data: await unpack(packed.subarray(at - start, at - start + packedBytes), {
        maxOutputLength: Math.max(1, end - begin),
      }),
    })),
  );
}

async function fetchPacked(
  deps: Deps,
  source: TelemetrySource,
  digest: string,
  start: number,
  end: number,
): Promise<Buffer> {
  try {
    return await buffer(await deps.blobs.open(digest, { start, end }));
  } catch (error) {
    if (!(error instanceof DomainError) || error.reason !== "BLOB_NOT_FOUND") throw error;
    const message = `The output ${sourceKey(source)} was archived as ${archivePath(source)}, and that file has been deleted since.`;
    throw new DomainError("not_found", "LOG_ARCHIVE_GONE", message, { cause: error });
  }
}
