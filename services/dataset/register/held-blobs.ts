import { createHash } from "node:crypto";
import { type BlobStore, holderName } from "@trainyard/blob";
import type { Identity } from "../domain/next-version.ts";

/** How long a registration under way holds its blobs; a repeated one holds them again. */
const WORK_TTL_MS = 24 * 60 * 60 * 1000;
/** A version is never deleted; pins have an end, so this is longer than anybody keeps one. */
const REFERENCE_TTL_MS = 100 * 365 * 24 * 60 * 60 * 1000;

/** Keeps a registration's blobs from being collected: for a day while it runs, and for good just before it commits. */
export interface HeldBlobs {
  readonly workPin: { readonly holder: string; readonly ttlMs: number };
  hold(digest: string): Promise<void>;
  /** Before the commit: a crash after it would leave a version whose blobs go away. */
  keep(digests: readonly string[]): Promise<void>;
  release(digests: readonly string[]): Promise<void>;
}

/** The holder's name follows from what is registered, so that a repetition after a crash leaves no second pin behind. */
export function holdBlobs(blobs: BlobStore, project: string, name: string, identity: Identity): HeldBlobs {
  const { contentHash, contractHash, format } = identity;
  const what = createHash("sha256")
    .update(JSON.stringify([project, name, contentHash, contractHash, format]))
    .digest("hex");
  const workPin = { holder: holderName({ kind: "registration", project, id: what }), ttlMs: WORK_TTL_MS };
  const referencePin = {
    holder: holderName({ kind: "dataset", project, id: what }),
    ttlMs: REFERENCE_TTL_MS,
  };
  const each = async (digests: readonly string[], fn: (digest: string) => Promise<void>) => {
    for (const digest of new Set(digests)) await fn(digest);
  };
  return {
    workPin,
    hold: (digest) => blobs.pin(digest, workPin),
    keep: (digests) => each(digests, (digest) => blobs.pin(digest, referencePin)),
    release: (digests) => each(digests, (digest) => blobs.unpin(digest, workPin.holder)),
  };
}
