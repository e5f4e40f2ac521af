import { DomainError } from "@trainyard/domain";

export function digestMismatch(expected: string, actual: string): DomainError {
  return new DomainError(
    "invalid_argument",
    "DIGEST_MISMATCH",
    `The content's SHA-256 is ${actual}, expected ${expected}: it was cut off or changed on the way. Send it again.`,
    { metadata: { expected, actual } },
  );
}

export function sizeMismatch(expected: number, actual: number): DomainError {
  return new DomainError(
    "invalid_argument",
    "SIZE_MISMATCH",
    `The content has ${actual} bytes, expected ${expected}. Send it again.`,
    { metadata: { expected: String(expected), actual: String(actual) } },
  );
}

export function tooLarge(maxBytes: number): DomainError {
  return new DomainError(
    "resource_exhausted",
    "BLOB_TOO_LARGE",
    `The content is larger than ${maxBytes} bytes.`,
    {
      metadata: { maxBytes: String(maxBytes) },
    },
  );
}

export function storeFull(cause: unknown): DomainError {
  return new DomainError(
    "resource_exhausted",
    "BLOB_STORE_FULL",
    "The blob store has no space left. Free some on its disk, then try again.",
    { cause },
  );
}

export function blobNotFound(digest: string): DomainError {
  return new DomainError("not_found", "BLOB_NOT_FOUND", `There is no blob ${digest}.`, {
    metadata: { digest },
  });
}

/** What is stored is not what it is named after: a disk or somebody has changed it. */
export function blobCorrupt(digest: string, actual: string): DomainError {
  return new DomainError(
    "internal",
    "BLOB_CORRUPT",
    `Blob ${digest} is damaged in the blob store: what is there hashes to ${actual}. Delete it there and store it again.`,
    { metadata: { digest, actual } },
  );
}

export function blobPinned(digest: string, holders: readonly string[]): DomainError {
  return new DomainError(
    "failed_precondition",
    "BLOB_PINNED",
    `Blob ${digest} is pinned by ${holders.join(", ")} and stays.`,
    { metadata: { digest, holders: holders.join(",") } },
  );
}

export function blobUrlInvalid(description: string): DomainError {
  return new DomainError(
    "invalid_argument",
    "BLOB_URL_INVALID",
    `The blob store's URL is not usable: ${description}.`,
    { violations: [{ field: "blobUrl", description }] },
  );
}

export function rangeInvalid(description: string): DomainError {
  return new DomainError("invalid_argument", "RANGE_INVALID", `range: ${description}.`, {
    violations: [{ field: "range", description }],
  });
}

export function uploadNotFound(uploadId: string): DomainError {
  const shown = JSON.stringify(uploadId.slice(0, 80));
  return new DomainError("not_found", "UPLOAD_NOT_FOUND", `There is no upload ${shown}: begin a new one.`);
}

export function partMissing(partNumber: number): DomainError {
  return new DomainError(
    "failed_precondition",
    "PART_MISSING",
    partNumber === 1 ? "The upload has no part 1." : `Part ${partNumber} of the upload is missing.`,
    { metadata: { partNumber: String(partNumber) } },
  );
}

/** Whether a file system call failed with this code. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
