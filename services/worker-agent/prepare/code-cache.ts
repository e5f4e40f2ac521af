import { randomUUID } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { cp, lstat, mkdir, readdir, rename, rm, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BlobStore } from "@trainyard/blob";
import type { CacheEntry } from "../domain/cache-eviction.ts";
import { syncFolder } from "../ranks/durable-file.ts";
import { fetchBlob } from "./fetch-blob.ts";
import { unpackBundle } from "./unpack-bundle.ts";

/** Largest code bundle, packed. */
export const MAX_BUNDLE_PACKED_BYTES = 256 * 1024 * 1024;

/**
 * Unpacked code bundles on this node's disk, by digest (`cache/code/<digest>/`). Each attempt gets a copy of its own,
 * since ranks may write where their script is.
 */
export class CodeCache {
  readonly #dir: string;
  readonly #blobs: BlobStore;
  readonly #signal: AbortSignal;
  readonly #unpacking = new Map<string, Promise<void>>();
  /** How many copies are being made of a bundle. */
  readonly #copying = new Map<string, number>();
  /** What never changes once it is there. */
  readonly #sizes = new Map<string, number>();

  constructor(options: { readonly dir: string; readonly blobs: BlobStore; readonly signal: AbortSignal }) {
    this.#dir = options.dir;
    this.#blobs = options.blobs;
    this.#signal = options.signal;
  }

  /** Removes what an agent that was killed left half unpacked. */
  async open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const left = (await readdir(this.#dir)).filter((name) => name.startsWith("."));
    await Promise.all(left.map((name) => rm(join(this.#dir, name), { recursive: true, force: true })));
  }

  /** Makes `target` a private copy of the bundle's content. */
  async copyTo(digest: string, target: string): Promise<void> {
    const folder = join(this.#dir, digest);
    this.#copying.set(digest, (this.#copying.get(digest) ?? 0) + 1);
    try {
      if (!existsSync(folder)) await this.#unpackOnce(digest, folder);
      const now = new Date();
      await utimes(folder, now, now);
      // A clone where the file system can; a verbatim link still points inside the copy, for only relative ones exist.
      await cp(folder, target, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
    } finally {
      this.#copying.set(digest, (this.#copying.get(digest) ?? 1) - 1);
      if (this.#copying.get(digest) === 0) this.#copying.delete(digest);
    }
  }

  async entries(): Promise<CacheEntry[]> {
    const digests = (await readdir(this.#dir)).filter((name) => !name.startsWith("."));
    const found: CacheEntry[] = [];
    for (const digest of digests) {
      const path = join(this.#dir, digest);
      const bytes = this.#sizes.get(digest) ?? (await bytesBelow(path));
      this.#sizes.set(digest, bytes);
      const { mtimeMs } = await lstat(path);
      found.push({ path, bytes, usedAtMs: mtimeMs, inUse: this.#copying.has(digest) });
    }
    return found;
  }

  /** Deletes an entry that nobody copies. Renamed first, so that a crash in between leaves nothing that looks whole. */
  async evict(entry: CacheEntry): Promise<void> {
    const digest = basename(entry.path);
    if (this.#copying.has(digest)) return;
    this.#sizes.delete(digest);
    const rubbish = join(this.#dir, `.evicted-${randomUUID()}`);
    await rename(entry.path, rubbish);
    await rm(rubbish, { recursive: true, force: true });
  }

  async #unpackOnce(digest: string, folder: string): Promise<void> {
    const running =
      this.#unpacking.get(digest) ??
      this.#unpack(digest, folder).finally(() => this.#unpacking.delete(digest));
    this.#unpacking.set(digest, running);
    await running;
  }

  async #unpack(digest: string, folder: string): Promise<void> {
    const temporary = join(this.#dir, `.unpacking-${randomUUID()}`);
    const packed = `${temporary}.tgz`;
    try {
      const limits = { signal: this.#signal, maxBytes: MAX_BUNDLE_PACKED_BYTES };
      await fetchBlob(this.#blobs, digest, packed, limits);
      await unpackBundle(packed, temporary);
      await rename(temporary, folder);
      await syncFolder(this.#dir);
    } finally {
      await rm(packed, { force: true });
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(names.map(async (name) => (await lstat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
