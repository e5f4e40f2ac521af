import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError, isDomainError } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import type { Clients } from "./clients.ts";
import type { PlatformAddress } from "./find-platform.ts";

const PARTS_AT_ONCE = 3;
/** A part is tried again for so long; a store that was down may be back by then. */
const TRIES = 8;
const COMPLETE_TIMEOUT_MS = 10 * 60_000;
/** Silence after which a part is given up and sent again. */
const PART_TIMEOUT_MS = 5 * 60_000;

/** A file whose digest is known. */
export interface HashedFile {
  readonly file: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/**
 * Sends a large file in parts to where the platform says, straight to the blob store where that takes them. Parts that have
 * arrived before, in an upload that was cut off, are not sent again. `onProgress` is told how many bytes are there.
 */
export async function uploadFileInParts(
  { artifacts }: Pick<Clients, "artifacts">,
  address: PlatformAddress,
  source: HashedFile,
  onProgress: (bytes: number) => void,
): Promise<{ readonly sent: boolean }> {
  const { digest, sizeBytes } = source;
  const begun = await artifacts.beginUpload({ digest, sizeBytes: BigInt(sizeBytes) });
  if (begun.exists) return { sent: false };
  const { uploadId } = begun;
  const partBytes = Number(begun.partSizeBytes);
  const arrived = new Map(begun.parts.map((part) => [part.partNumber, part.digest]));
  const file = await open(source.file);
  let there = 0;
  let next = 1;
  let failure: { readonly error: unknown } | undefined;
  const sendParts = async () => {
    for (; failure === undefined && (next - 1) * partBytes < sizeBytes; ) {
      const partNumber = next++;
      const bytes = await readPart(file, (partNumber - 1) * partBytes, partBytes);
      const part = { partNumber, digest: sha256(bytes), sizeBytes: BigInt(bytes.length) };
      if (arrived.get(partNumber) !== part.digest) await sendPart(part, bytes);
      there += bytes.length;
      onProgress(there);
    }
  };
  const sendPart = async (
    part: { readonly partNumber: number; readonly digest: string; readonly sizeBytes: bigint },
    bytes: Uint8Array,
  ) => {
    for (let tries = 1; ; tries++) {
      try {
        // A URL of its own for each try: the last one may have expired while the part waited.
        const { parts } = await artifacts.presignParts({ uploadId, parts: [part] });
        const [place] = parts;
        if (place === undefined) throw new Error("the platform told no place for a part");
        await putPart(address, place, bytes);
        return;
      } catch (error) {
        const told = isDomainError(error) ? error : fromConnectError(error);
        if (tries >= TRIES || told.code !== "unavailable") throw told;
        await sleep(Math.min(200 * 2 ** tries, 10_000));
      }
    }
  };
  try {
    const senders = Array.from({ length: PARTS_AT_ONCE }, () =>
      sendParts().catch((error: unknown) => {
        failure ??= { error };
      }),
    );
    await Promise.all(senders);
  } finally {
    await file.close();
  }
  if (failure !== undefined) throw (failure as { error: unknown }).error; // Set in another closure, which narrowing does not see.
  await artifacts.completeUpload({ uploadId }, { timeoutMs: COMPLETE_TIMEOUT_MS });
  return { sent: true };
}

async function putPart(
  { url, token }: PlatformAddress,
  place: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  bytes: Uint8Array,
): Promise<void> {
  const isOurs = place.url.startsWith("/");
  const authorization = isOurs && token !== undefined ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(isOurs ? `${url}${place.url}` : place.url, {
    method: "PUT",
    headers: { ...place.headers, ...authorization },
    body: Buffer.from(bytes),
    signal: AbortSignal.timeout(PART_TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw partFailed("could not be sent", error);
  });
  const text = await answer.text();
  if (answer.ok) return;
  // The store's own words may repeat the URL, which is a secret.
  throw partFailed(`was refused with HTTP status ${answer.status}${isOurs ? `: ${text.slice(0, 300)}` : ""}`);
}

/** Each may pass: the line, a store that restarts, a URL that has expired. */
function partFailed(what: string, cause?: unknown): DomainError {
  return new DomainError("unavailable", "PART_NOT_SENT", `A part of the file ${what}.`, { cause });
}

async function readPart(file: FileHandle, start: number, partBytes: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(partBytes), 0, partBytes, start);
  return buffer.subarray(0, bytesRead);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
