import { constants } from "node:fs";
import { copyFile, link, lstat, mkdir, readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@trainyard/blob";
import type { CacheEntry } from "../domain/cache-eviction.ts";
import { fetchBlob } from "./fetch-blob.ts";

/** More links to one file than the file system allows. */
const TOO_MANY_LINKS = "EMLINK";

/**
 * Blobs on this node's disk, by digest (`cache/blobs/<digest>`), read-only and shared by all attempts. Two attempts that
 * need the same blob at once share one fetch. Each attempt gets a hard link of its own, so deleting an entry takes
 * nothing away from anyone, and the file system itself counts who uses it, also across restarts of the agent.
 */
export class BlobCache {
  readonly #dir: string;
  readonly #blobs: BlobStore;
  readonly #fetching = new Map<string, Promise<void>>();
  readonly #signal: AbortSignal;

  /** `signal` ends fetches when the agent stops; an attempt that is stopped leaves its fetch to the others that wait for it. */
  constructor(options: { readonly dir: string; readonly blobs: BlobStore; readonly signal: AbortSignal }) {
    this.#dir = options.dir;
    this.#blobs = options.blobs;
    this.#signal = options.signal;
  }

  /** Removes what an agent that was killed left half fetched. */
  async open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const left = (await readdir(this.#dir)).filter((name) => name.startsWith(".fetching-"));
    await Promise.all(left.map((name) => rm(join(this.#dir, name), { force: true })));
  }

  /** Makes `target`, in an existing folder of the same disk, the blob's content: a link, read-only. */
  async linkTo(digest: string, target: string): Promise<void> {
    await this.#place(digest, (path) => link(path, target));
  }

  /** Makes `target` a copy of the blob that its owner may write. */
  async copyTo(digest: string, target: string): Promise<void> {
    await this.#place(digest, (path) =>
      copyFile(path, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL),
    );
  }

  async entries(): Promise<CacheEntry[]> {
    const names = (await readdir(this.#dir)).filter((name) => !name.startsWith("."));
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#dir, name);
        const { size, mtimeMs, nlink } = await lstat(path);
        return { path, bytes: size, usedAtMs: mtimeMs, inUse: nlink > 1 };
      }),
    );
    return found;
  }

  /** Deletes an entry; whoever has a link keeps it, and whoever needs it next fetches it again. */
  async evict(entry: CacheEntry): Promise<void> {
    await rm(entry.path, { force: true });
  }

  /** An entry may be evicted between its fetch and its use; then it is fetched again. */
  async #place(digest: string, use: (path: string) => Promise<void>): Promise<void> {
    const path = join(this.#dir, digest);
    for (let fetched = false; ; fetched = true) {
      try {
        await use(path);
        const now = new Date();
        await utimes(path, now, now).catch(() => undefined);
        return;
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        if (code === TOO_MANY_LINKS) await rm(path, { force: true });
        else if (code !== "ENOENT" || (fetched && !this.#fetching.has(digest) && (await isThere(path))))
          throw error;
        await this.#fetch(digest, path);
      }
    }
  }

  async #fetch(digest: string, path: string): Promise<void> {
    const running =
      this.#fetching.get(digest) ??
      fetchBlob(this.#blobs, digest, path, { signal: this.#signal, mode: 0o400 }).finally(() =>
        this.#fetching.delete(digest),
      );
    this.#fetching.set(digest, running);
    await running;
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
