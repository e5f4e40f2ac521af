import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "@trainyard/domain";
import type { PlatformAddress } from "../client/find-platform.ts";
import { hashFile } from "../pack/hash-file.ts";

const TRIES = 8;

/** How a file is fetched. */
export interface DownloadOptions {
  /** Whether a file that is there with another content is overwritten. */
  readonly force: boolean;
  readonly onProgress: (bytes: number) => void;
}

/**
 * Fetches a blob into a file, whole and checked, or not at all: it grows as `<file>.part`, is gone on with where it ends after
 * whatever cut it off, and gets its name when its digest is right. Throws FILE_EXISTS.
 */
export async function downloadFile(
  address: PlatformAddress,
  { digest, sizeBytes }: { readonly digest: string; readonly sizeBytes: number },
  target: string,
  { force, onProgress }: DownloadOptions,
): Promise<void> {
  const known = await stat(target).catch(() => undefined);
  if (known !== undefined) {
    if (known.isFile() && known.size === sizeBytes && (await hashFile(target)).digest === digest) return;
    if (!force) {
      const message = `${target} is there with another content. Give --force to overwrite it, or another --output.`;
      throw new DomainError("already_exists", "FILE_EXISTS", message);
    }
  }
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.part`;
  for (let tries = 1; ; tries++) {
    try {
      await fetchRest(address, digest, sizeBytes, part, onProgress);
      break;
    } catch (error) {
      if (error instanceof DomainError || tries >= TRIES) throw error;
      await sleep(Math.min(200 * 2 ** tries, 10_000));
    }
  }
  await rename(part, target);
}

async function fetchRest(
  address: PlatformAddress,
  digest: string,
  sizeBytes: number,
  part: string,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const found = await stat(part).catch(() => undefined);
  let there = found !== undefined && found.size <= sizeBytes ? found.size : 0;
  const hash = createHash("sha256");
  if (there > 0) for await (const chunk of createReadStream(part)) hash.update(chunk as Uint8Array); // Bytes, without an encoding.
  const file = await open(part, there === 0 ? "w" : "a");
  try {
    for await (const bytes of there < sizeBytes ? await contentFrom(address, digest, there) : []) {
      hash.update(bytes);
      there += bytes.length;
      await file.writeFile(bytes);
      onProgress(there);
    }
  } finally {
    await file.close();
  }
  const actual = hash.digest("hex");
  if (actual === digest) return;
  await rm(part, { force: true });
  const message = `What arrived hashes to ${actual}, expected ${digest}. Nothing was kept; try again.`;
  throw new DomainError("internal", "DIGEST_MISMATCH", message);
}

async function contentFrom(
  { url, token }: PlatformAddress,
  digest: string,
  start: number,
): Promise<AsyncIterable<Uint8Array>> {
  const answer = await fetch(`${url}/api/v1/blobs/${digest}`, {
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(start === 0 ? {} : { range: `bytes=${start}-` }),
    },
  });
  if (answer.status !== (start === 0 ? 200 : 206) || answer.body === null) throw await refused(answer);
  return answer.body;
}

async function refused(answer: Response): Promise<Error> {
  const text = (await answer.text()).slice(0, 300);
  if (answer.status >= 500) return new Error(`the platform answered with HTTP status ${answer.status}`);
  const code =
    answer.status === 404 ? "not_found" : answer.status === 403 ? "permission_denied" : "invalid_argument";
  return new DomainError(code, "DOWNLOAD_REFUSED", `The platform refused the download: ${text}`);
}
