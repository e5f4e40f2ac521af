import type { Deps } from "../deps.ts";
import type { RetentionPolicy } from "../domain/retention.ts";
import { collectBlobs } from "./collect-blobs.ts";
import { expireRuns } from "./expire-runs.ts";
import { purgeRuns } from "./purge-runs.ts";

export type GarbageKind = "run" | "artifacts" | "checkpoint" | "pin" | "blob";

/** One thing that nothing needs any more. */
export interface Garbage {
  readonly kind: GarbageKind;
  readonly id: string;
  readonly why: string;
  readonly sizeBytes: number;
}

/** What a whole collection came to. */
export interface GarbageSummary {
  readonly blobsSeen: number;
  readonly blobsFreed: number;
  readonly bytesFreed: number;
  readonly bytesKept: number;
  readonly runsPurged: number;
}

/** How to collect. */
export interface Collection {
  readonly dryRun: boolean;
  readonly policy: RetentionPolicy;
  readonly signal: AbortSignal;
}

/**
 * Frees what nothing needs any more, and tells each thing before or as it goes. References first, in the database and then
 * their pins; then blobs without any. Whatever it has not come to when it dies, the next one finds again.
 */
export async function* collectGarbage(
  deps: Deps,
  collection: Collection,
): AsyncGenerator<Garbage, GarbageSummary> {
  let runsPurged = 0;
  for await (const purged of purgeRuns(deps, collection)) {
    runsPurged++;
    yield purged;
  }
  yield* expireRuns(deps, collection);
  const blobs = yield* collectBlobs(deps, collection);
  return { ...blobs, runsPurged };
}
