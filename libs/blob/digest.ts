import { createHash } from "node:crypto";
import { DomainError } from "@trainyard/domain";

const DIGEST = /^[0-9a-f]{64}$/;

/** Whether the text is a SHA-256 in lower-case hex. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/**
 * Throws `invalid_argument` DIGEST_INVALID unless the text is a digest. Digests become file names, so nothing that is
 * not exactly one gets past here.
 */
export function assertDigest(field: string, text: string): void {
  if (isDigest(text)) return;
  const description = `expected a SHA-256 in lower-case hex (64 digits), got ${JSON.stringify(text.slice(0, 80))}`;
  throw new DomainError("invalid_argument", "DIGEST_INVALID", `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}

/** The digest of bytes that are in memory. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
