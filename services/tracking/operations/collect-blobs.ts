import { type HeldPin, type ListedBlob, parseHolder } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import type { Deps } from "../deps.ts";
import { whyFree } from "../domain/blob-verdict.ts";
import type { Collection, Garbage, GarbageSummary } from "./collect-garbage.ts";

/** Kinds of holders that are a run's, by its id: tracking knows whether there is such a run. */
const RUN_KINDS: ReadonlySet<string> = new Set(["run", "job"]);

/** A pin may be ahead of its run, such as a job's that is being submitted. */
const PIN_GRACE_MS = 24 * 60 * 60_000;

/** Digests are looked at in so many parts, by their first byte, so that what is in memory stays small. */
const PARTS = 256;

type BlobCounts = Omit<GarbageSummary, "runsPurged">;

/**
 * Pins of runs that are gone are taken off; blobs that nobody holds and that are not young are deleted. A pin that is taken
 * meanwhile wins: the store's own deletion looks again.
 */
export async function* collectBlobs(
  deps: Deps,
  { dryRun, policy, signal }: Collection,
): AsyncGenerator<Garbage, BlobCounts> {
  if (!dryRun) await deps.blobs.tidy();
  let counts: BlobCounts = { blobsSeen: 0, blobsFreed: 0, bytesFreed: 0, bytesKept: 0 };
  for (let part = 0; part < PARTS; part++) {
    signal.throwIfAborted();
    const prefix = part.toString(16).padStart(2, "0");
    const held = await holdersOf(deps, prefix);
    for (const { digest, holder } of held.gone) {
      signal.throwIfAborted();
      if (!dryRun) await deps.blobs.unpin(digest, holder);
      yield { kind: "pin", id: digest, why: `${holder} holds it, and there is no such run`, sizeBytes: 0 };
    }
    for await (const blob of deps.blobs.list(prefix)) {
      signal.throwIfAborted();
      const holders = held.byDigest.get(blob.digest) ?? [];
      const seen = { modifiedAt: blob.modifiedAt, holders };
      const why = whyFree(seen, policy.blobGraceMs, deps.now().getTime());
      const isFreed = why !== undefined && (dryRun || (await deleteBlob(deps, blob)));
      counts = counted(counts, blob, isFreed);
      if (isFreed) yield { kind: "blob", id: blob.digest, why, sizeBytes: blob.sizeBytes };
    }
  }
  return counts;
}

function counted(counts: BlobCounts, { sizeBytes }: ListedBlob, isFreed: boolean): BlobCounts {
  const { blobsSeen, blobsFreed, bytesFreed, bytesKept } = counts;
  if (isFreed) {
    return {
      blobsSeen: blobsSeen + 1,
      blobsFreed: blobsFreed + 1,
      bytesFreed: bytesFreed + sizeBytes,
      bytesKept,
    };
  }
  return { blobsSeen: blobsSeen + 1, blobsFreed, bytesFreed, bytesKept: bytesKept + sizeBytes };
}

/** False when somebody has pinned it since it was listed, or the store does not come to it now. */
async function deleteBlob(deps: Deps, { digest }: ListedBlob): Promise<boolean> {
  try {
    await deps.blobs.delete(digest);
    return true;
  } catch (error) {
    const left = error instanceof DomainError && ["BLOB_PINNED", "BLOB_BUSY"].includes(error.reason);
    if (!left) throw error;
    deps.logger.debug({ digest, reason: error.reason }, "a blob was left for the next collection");
    return false;
  }
}

/** Who holds the blobs of one part, and which pins are of runs that are gone. */
async function holdersOf(deps: Deps, prefix: string) {
  const pins: HeldPin[] = [];
  for await (const pin of deps.blobs.listPins(prefix)) pins.push(pin);
  const runOf = ({ holder }: HeldPin) => {
    const parsed = parseHolder(holder);
    return parsed !== undefined && RUN_KINDS.has(parsed.kind) ? parsed.id : undefined;
  };
  const ids = [...new Set(pins.map(runOf).filter((id) => id !== undefined))];
  const existing = await deps.records.retainedRuns.existing(ids);
  const oldest = deps.now().getTime() - PIN_GRACE_MS;
  const isGone = (pin: HeldPin) => {
    const run = runOf(pin);
    return run !== undefined && !existing.has(run) && pin.since < oldest;
  };
  const byDigest = new Map<string, string[]>();
  for (const pin of pins) {
    if (!isGone(pin)) byDigest.set(pin.digest, [...(byDigest.get(pin.digest) ?? []), pin.holder]);
  }
  return { byDigest, gone: pins.filter(isGone) };
}
