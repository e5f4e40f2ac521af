import { createHash } from "node:crypto";
import { DomainError } from "@trainyard/domain";
import type { Announced, MultipartPart, PutOptions } from "./blob-store.ts";
import { partMissing } from "./errors.ts";

/** As many parts as S3 takes. */
export const MAX_PARTS = 10_000;
/** Every part but the last has at least so many bytes, as S3 has it. */
export const MIN_PART_BYTES = 5 * 1024 ** 2;
/** A part is in memory while it is sent. */
export const MAX_PART_BYTES = 64 * 1024 ** 2;
/** How long an upload in parts may rest before it is given up. */
export const UPLOAD_ORPHAN_AGE_MS = 7 * 24 * 60 * 60_000;
const USUAL_PART_BYTES = 16 * 1024 ** 2;

export const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Bytes of each part but the last of an upload of that size. Throws BLOB_TOO_LARGE beyond MAX_PARTS × MAX_PART_BYTES. */
export function partBytesFor(sizeBytes: number): number {
  const partBytes = Math.max(USUAL_PART_BYTES, Math.ceil(sizeBytes / MAX_PARTS));
  if (partBytes <= MAX_PART_BYTES) return partBytes;
  const limit = MAX_PARTS * MAX_PART_BYTES;
  throw new DomainError(
    "resource_exhausted",
    "BLOB_TOO_LARGE",
    `An upload in parts has at most ${limit} bytes.`,
  );
}

/** The id of an upload that was announced: the same owner announcing the same content finds it again. */
export function announcedId({ owner, digest, sizeBytes }: Announced): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([owner, digest, sizeBytes]))
    .digest("hex");
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    hash.slice(12, 16),
    hash.slice(16, 20),
    hash.slice(20, 32),
  ].join("-");
}

/** What has to come out of an upload: what it was announced as, and what completing it asks for. */
export function expectedOf(announced: Announced | undefined, options: PutOptions): PutOptions {
  if (announced === undefined) return options;
  return { ...options, expectDigest: announced.digest, expectSize: announced.sizeBytes };
}

/** Throws PART_NUMBER_INVALID. */
export function assertPart(partNumber: number): void {
  if (Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= MAX_PARTS) return;
  const description = `expected a whole number from 1 to ${MAX_PARTS}, got ${partNumber}`;
  throw new DomainError("invalid_argument", "PART_NUMBER_INVALID", `part_number: ${description}.`, {
    violations: [{ field: "part_number", description }],
  });
}

/** Throws unless these are the parts 1, 2, … of a whole: PART_MISSING, PART_TOO_SMALL. */
export function assertParts(parts: readonly Pick<MultipartPart, "partNumber" | "sizeBytes">[]): void {
  for (const [index, { partNumber, sizeBytes }] of parts.entries()) {
    if (partNumber !== index + 1) throw partMissing(index + 1);
    if (index === parts.length - 1 || sizeBytes >= MIN_PART_BYTES) continue;
    throw new DomainError(
      "failed_precondition",
      "PART_TOO_SMALL",
      `Part ${partNumber} has ${sizeBytes} bytes; every part but the last has at least ${MIN_PART_BYTES}.`,
      { metadata: { partNumber: String(partNumber) } },
    );
  }
  if (parts.length === 0) throw partMissing(1);
}

/** A part's bytes in memory. Throws PART_TOO_LARGE as soon as it is. */
export async function collectPart(data: AsyncIterable<Uint8Array> | Uint8Array): Promise<Uint8Array> {
  if (data instanceof Uint8Array) {
    assertPartSize(data.byteLength);
    return data;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of limitedPart(data)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The chunks of a part, until it is too large. */
export async function* limitedPart(data: AsyncIterable<Uint8Array> | Uint8Array): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of data instanceof Uint8Array ? [data] : data) {
    sizeBytes += chunk.byteLength;
    assertPartSize(sizeBytes);
    yield chunk;
  }
}

function assertPartSize(sizeBytes: number): void {
  if (sizeBytes <= MAX_PART_BYTES) return;
  throw new DomainError(
    "resource_exhausted",
    "PART_TOO_LARGE",
    `A part has at most ${MAX_PART_BYTES} bytes. Send the content in more parts.`,
  );
}
