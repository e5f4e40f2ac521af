import { DomainError } from "@trainyard/domain";

/** What is not there: an object, or an upload in parts. */
const MISSING: ReadonlySet<string> = new Set(["NoSuchKey", "NotFound", "NoSuchUpload"]);

/** Whether the server said that there is no such object or upload. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && MISSING.has(error.name);
}

/**
 * Any other failure as `unavailable`, since each may pass: a server that is down, credentials or a bucket that somebody
 * has to put right. The server's word for it is told, and nothing that could hold a signature.
 */
export function s3Unavailable(what: string, error: unknown): DomainError {
  const name = error instanceof Error ? nameOf(error) : "an unknown failure";
  return new DomainError(
    "unavailable",
    "BLOB_STORE_UNAVAILABLE",
    `The blob store in S3 did not ${what} (${name}). Try again; if it stays so, check its endpoint, bucket and credentials.`,
    { cause: error, retryAfterMs: 1_000, metadata: { name } },
  );
}

function nameOf(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return /^[A-Za-z0-9_.]{1,64}$/.test(code) ? code : "Error";
}
