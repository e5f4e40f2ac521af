import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import type { S3Bucket } from "./s3-bucket.ts";

/** From its mark on, a deletion has so long to look for pins and delete; else it gives up. */
const DELETE_WITHIN_MS = 30_000;
const DELETE_CALL_MS = 10_000;
/** A mark this old is of a collector that died: longer than any deletion, and than clocks may differ. */
const DEAD_MARK_MS = 10 * 60_000;
/** How long a pin waits for deletions under way before it says that it could not be taken. */
const AWAIT_MS = 15_000;
const LOOK_EVERY_MS = 50;

/**
 * Deleting from S3, which has no rename and no transaction, so that no pin comes too late. A deletion first marks the blob
 * (`doomed/<digest>.<its own id>`), then looks for pins, then deletes. Who pins writes the pin first, then looks for
 * marks, and waits until those are gone. Either the deletion sees the pin, or the pin sees the mark; S3 answers reads
 * with what was written before them.
 */
export class S3Deletion {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  /** Deletes the object unless `holders` names somebody once the mark stands. Gives whom, or nobody. */
  async delete(
    digest: string,
    key: string,
    holders: () => Promise<readonly string[]>,
  ): Promise<readonly string[]> {
    const mark = `doomed/${digest}.${randomUUID()}`;
    const markedAt = performance.now();
    const body = Buffer.from(digest);
    await this.#bucket.put(mark, body, createHash("sha256").update(body).digest("base64"));
    crashPoint("blob.delete.marked");
    try {
      const held = await holders();
      if (held.length > 0) return held;
      if (performance.now() - markedAt > DELETE_WITHIN_MS) throw busy(digest);
      await this.#bucket.remove(key, AbortSignal.timeout(DELETE_CALL_MS));
      crashPoint("blob.delete.deleted");
      return [];
    } finally {
      await this.#bucket.remove(mark);
    }
  }

  /** Resolves when every deletion that may have missed a pin just taken is over. Throws `unavailable` BLOB_BUSY. */
  async settled(digest: string): Promise<void> {
    const deadline = performance.now() + AWAIT_MS;
    while (await this.#isMarked(digest)) {
      if (performance.now() > deadline) throw busy(digest);
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #isMarked(digest: string): Promise<boolean> {
    for await (const { modifiedAt } of this.#bucket.list(`doomed/${digest}.`)) {
      if (modifiedAt > Date.now() - DEAD_MARK_MS) return true;
    }
    return false;
  }

  /** Removes marks of collectors that died. */
  async tidy(): Promise<void> {
    for await (const { key, modifiedAt } of this.#bucket.list("doomed/")) {
      if (modifiedAt <= Date.now() - DEAD_MARK_MS) await this.#bucket.remove(key);
    }
  }
}

function busy(digest: string): DomainError {
  return new DomainError(
    "unavailable",
    "BLOB_BUSY",
    `Blob ${digest} is being collected at this moment. Try again; after a crash of the collector that takes up to 10 minutes.`,
    { metadata: { digest }, retryAfterMs: 1_000 },
  );
}
