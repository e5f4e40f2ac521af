import { access, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@trainyard/blob";
import { fetchBlob } from "./fetch-blob.ts";

/**
 * Blobs on this node's disk, by digest (`cache/blobs/<digest>`), read-only and shared by all attempts. Two attempts that
 * need the same blob at once share one fetch.
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

  /** The absolute path of the blob's file, fetched if it is not there yet. */
  async path(digest: string): Promise<string> {
    const path = join(this.#dir, digest);
    const running = this.#fetching.get(digest);
    if (running !== undefined) await running;
    else if (!(await isThere(path))) await this.#fetch(digest, path);
    return path;
  }

  async #fetch(digest: string, path: string): Promise<void> {
    // Looked up again, since another may have begun while the file was looked for.
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
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
