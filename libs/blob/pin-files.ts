import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { HeldPin, Pin } from "./blob-store.ts";
import { publish, writeTemp } from "./durable-file.ts";
import { hasCode } from "./errors.ts";

interface PinRecord {
  readonly holder: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/**
 * Pins as files, `pins/<digest>/<SHA-256 of the holder>`: every process that has the folder open sees them, and they
 * survive restarts. A holder's name is hashed because it may hold anything.
 */
export class PinFiles {
  readonly #root: string;
  readonly #temp: string;
  readonly #now: () => number;

  constructor(root: string, temp: string, now: () => number) {
    this.#root = root;
    this.#temp = temp;
    this.#now = now;
  }

  async add(digest: string, { holder, ttlMs }: Pin): Promise<void> {
    const record: PinRecord = { holder, expiresAt: this.#now() + ttlMs };
    const temp = join(this.#temp, randomUUID());
    await writeTemp(temp, Buffer.from(JSON.stringify(record)));
    await publish(temp, this.#path(digest, holder));
  }

  async remove(digest: string, holder: string): Promise<void> {
    await rm(this.#path(digest, holder), { force: true });
  }

  /** Holders of pins that have not expired; the files of those that have are removed. */
  async holders(digest: string): Promise<readonly string[]> {
    const folder = join(this.#root, digest);
    const records = await Promise.all((await namesIn(folder)).map((name) => this.#read(join(folder, name))));
    return records
      .flatMap((record) => (record === undefined ? [] : [record.holder]))
      .sort((a, b) => (a < b ? -1 : 1));
  }

  /** Pins on blobs whose digest begins so, by digest. */
  async *list(prefix: string): AsyncGenerator<HeldPin> {
    for (const digest of await namesIn(this.#root)) {
      if (!digest.startsWith(prefix)) continue;
      for (const name of await namesIn(join(this.#root, digest))) {
        const path = join(this.#root, digest, name);
        const record = await this.#read(path);
        const file = await stat(path).catch(() => undefined); // Taken off meanwhile.
        if (record !== undefined && file !== undefined) yield { digest, since: file.mtimeMs, ...record };
      }
    }
  }

  /** Removes the folders of blobs that nobody pins. */
  async tidy(): Promise<void> {
    for (const digest of await namesIn(this.#root)) {
      if ((await this.holders(digest)).length > 0) continue;
      // Not recursive: a pin that is taken meanwhile makes its folder again.
      await rmdir(join(this.#root, digest)).catch(() => undefined);
    }
  }

  async #read(path: string): Promise<PinRecord | undefined> {
    try {
      const record = JSON.parse(await readFile(path, "utf8")) as PinRecord; // Written by `add`, atomically.
      if (record.expiresAt > this.#now()) return record;
      await rm(path, { force: true });
      return undefined;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  #path(digest: string, holder: string): string {
    return join(this.#root, digest, createHash("sha256").update(holder).digest("hex"));
  }
}

/** The names in a folder, in order; none where there is no folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
