import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { DomainError } from "@trainyard/domain";
import { callError } from "./call-error.ts";
import type { PlatformAddress } from "./find-platform.ts";

/**
 * The bytes of a blob as they come. Their digest is checked at the end: what differs ends the iteration with
 * BLOB_CORRUPT, so a reader that has seen the end has the right bytes. Throws BLOB_NOT_FOUND.
 */
export async function* downloadBlob(
  { url, token }: PlatformAddress,
  digest: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const answer = await fetch(`${url}/api/v1/blobs/${digest}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => Promise.reject(callError(error, url)));
  if (!answer.ok) {
    await answer.body?.cancel();
    throw refused(answer.status, digest, url);
  }
  const hash = createHash("sha256");
  if (answer.body !== null) {
    for await (const chunk of Readable.fromWeb(answer.body)) {
      // A web stream of a response's body gives bytes.
      const bytes = chunk as Uint8Array;
      hash.update(bytes);
      yield bytes;
    }
  }
  const found = hash.digest("hex");
  if (found === digest) return;
  throw new DomainError(
    "internal",
    "BLOB_CORRUPT",
    `what ${url} sent as ${digest} has the digest ${found}: the connection or the store damaged it; try again`,
  );
}

/** A whole blob of at most `maxBytes`; throws BLOB_TOO_LARGE beyond. */
export async function downloadSmallBlob(
  address: PlatformAddress,
  digest: string,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of downloadBlob(address, digest)) {
    size += chunk.length;
    if (size > maxBytes)
      throw new DomainError(
        "resource_exhausted",
        "BLOB_TOO_LARGE",
        `${digest} has more than ${maxBytes} bytes`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refused(status: number, digest: string, url: string): DomainError {
  if (status === 404)
    return new DomainError("not_found", "BLOB_NOT_FOUND", `${url} has no blob ${digest}: it was removed`);
  if (status === 401)
    return new DomainError("unauthenticated", "UNAUTHENTICATED", `${url} wants a valid token`);
  if (status === 503) return new DomainError("unavailable", "UNAVAILABLE", `${url} cannot read blobs now`);
  const code = status === 403 ? "permission_denied" : "internal";
  return new DomainError(code, `HTTP_${status}`, `${url} refused blob ${digest} with HTTP status ${status}`);
}
