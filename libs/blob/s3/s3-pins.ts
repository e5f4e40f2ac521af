import { createHash } from "node:crypto";
import type { HeldPin, Pin } from "../blob-store.ts";
import type { S3Bucket } from "./s3-bucket.ts";

const EMPTY = new Uint8Array();
const EMPTY_SHA256 = createHash("sha256").update(EMPTY).digest("base64");

const DAY_MS = 24 * 60 * 60_000;
const HOUR_MS = 60 * 60_000;

/** Longest holder whose name stays readable in the key: a server that keeps objects as files takes 255 bytes a part. */
const MAX_NAMED_HOLDER_BYTES = 120;

const KEY = /^pins\/([0-9a-f]{64})\.([nh])([A-Za-z0-9_-]*)\.(\d+)$/;

/**
 * Pins as empty objects `pins/<digest>.<holder>.<when it ends>`: holders and ends are read from listings, without a call
 * for each pin. A holder that pins again has two such keys for a while, and the later end counts.
 */
export class S3Pins {
  readonly #bucket: S3Bucket;
  readonly #now: () => number;

  constructor(bucket: S3Bucket, now: () => number) {
    this.#bucket = bucket;
    this.#now = now;
  }

  async add(digest: string, { holder, ttlMs }: Pin): Promise<void> {
    const end = this.#now() + ttlMs;
    // A long pin taken again within the hour is the same object.
    const expiresAt = ttlMs < DAY_MS ? end : Math.ceil(end / HOUR_MS) * HOUR_MS;
    await this.#bucket.put(`pins/${digest}.${nameOf(holder)}.${expiresAt}`, EMPTY, EMPTY_SHA256);
  }

  async remove(digest: string, holder: string): Promise<void> {
    for await (const { key } of this.#bucket.list(`pins/${digest}.${nameOf(holder)}.`)) {
      await this.#bucket.remove(key);
    }
  }

  /** Pins on blobs whose digest begins so that have not ended, one per holder, by digest; those that have are removed. */
  async *list(prefix: string): AsyncGenerator<HeldPin> {
    let digest = "";
    let held = new Map<string, HeldPin>();
    for await (const { key, modifiedAt } of this.#bucket.list(`pins/${prefix}`)) {
      const [, of = "", kind, name = "", end] = KEY.exec(key) ?? [];
      const expiresAt = Number(end);
      if (of === "") continue;
      if (expiresAt <= this.#now()) {
        await this.#bucket.remove(key);
        continue;
      }
      if (of !== digest) {
        yield* held.values();
        [digest, held] = [of, new Map()];
      }
      const holder = kind === "n" ? Buffer.from(name, "base64url").toString() : `sha256:${name}`;
      const known = held.get(holder);
      held.set(holder, {
        digest,
        holder,
        since: Math.min(known?.since ?? modifiedAt, modifiedAt),
        expiresAt: Math.max(known?.expiresAt ?? 0, expiresAt),
      });
    }
    yield* held.values();
  }

  async holders(digest: string): Promise<readonly string[]> {
    const holders: string[] = [];
    for await (const { holder } of this.list(`${digest}.`)) holders.push(holder);
    return holders.sort((a, b) => (a < b ? -1 : 1));
  }
}

function nameOf(holder: string): string {
  if (Buffer.byteLength(holder) <= MAX_NAMED_HOLDER_BYTES)
    return `n${Buffer.from(holder).toString("base64url")}`;
  return `h${createHash("sha256").update(holder).digest("hex")}`;
}
