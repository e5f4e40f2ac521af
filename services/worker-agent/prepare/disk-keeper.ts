import { statfs } from "node:fs/promises";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { type CacheEntry, entriesToEvict } from "../domain/cache-eviction.ts";
import { StartError } from "./start-error.ts";

/** Even when nothing is started, ranks fill the disk. */
const LOOK_INTERVAL_MS = 30_000;
/** The caches' share of the disk unless configured. */
const DEFAULT_SHARE = 0.2;
const DEFAULT_RESERVE_SHARE = 0.05;
const MAX_DEFAULT_RESERVE_BYTES = 1024 ** 3;

/** A cache whose entries can be deleted at any time. */
export interface EvictableCache {
  entries(): Promise<CacheEntry[]>;
  evict(entry: CacheEntry): Promise<void>;
}

export interface DiskKeeperOptions {
  /** A folder on the disk that is kept. */
  readonly dir: string;
  readonly caches: readonly EvictableCache[];
  /** Most bytes of all caches together; a fifth of the disk unless given. */
  readonly limitBytes: number | undefined;
  /** Bytes that stay free for what ranks write; a twentieth of the disk, at most 1 GiB, unless given. */
  readonly reserveBytes: number | undefined;
  readonly logger: Logger;
}

/** Keeps the caches within their limit and the disk from filling up, and says no to an attempt that has no room. */
export class DiskKeeper implements Part {
  readonly name = "disk";
  readonly #options: DiskKeeperOptions;
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DiskKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.changed();
    this.#timer = setInterval(() => this.changed(), LOOK_INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping?.catch(() => undefined);
  }

  /** Something was put into a cache: looks, in the background, whether something else has to go. */
  changed(): void {
    this.#sweep().catch((error: unknown) =>
      this.#options.logger.error({ err: error }, "the caches could not be cleared"),
    );
  }

  /** Evicts until the disk has its reserve; throws `StartError` when deleting all that can go is not enough. */
  async makeRoom(): Promise<void> {
    const before = await this.#disk();
    if (before.freeBytes >= before.reserveBytes) return;
    // A sweep that has begun may have looked before the disk was full.
    await this.#sweeping?.catch(() => undefined);
    await this.#sweep();
    const { freeBytes, reserveBytes } = await this.#disk();
    if (freeBytes >= reserveBytes) return;
    throw new StartError(
      "START_FAILED",
      `The disk of the node is short: ${freeBytes} bytes are free and ${reserveBytes} are kept free for what ranks write. Free space in ${this.#options.dir}, or set TRAINYARD_DISK_RESERVE_BYTES lower.`,
    );
  }

  #sweep(): Promise<void> {
    this.#sweeping ??= this.#evict().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #evict(): Promise<void> {
    const { caches, limitBytes, logger } = this.#options;
    const found = await Promise.all(
      caches.map(async (cache) => (await cache.entries()).map((entry) => ({ ...entry, cache }))),
    );
    const disk = await this.#disk();
    const entries = found.flat();
    const chosen = new Set(
      entriesToEvict(entries, { ...disk, limitBytes: limitBytes ?? disk.totalBytes * DEFAULT_SHARE }),
    );
    let bytes = 0;
    for (const entry of entries.filter((one) => chosen.has(one))) {
      await entry.cache.evict(entry);
      bytes += entry.bytes;
    }
    if (chosen.size > 0) logger.info({ entries: chosen.size, bytes }, "evicted from the caches");
  }

  async #disk() {
    const { bavail, blocks, bsize } = await statfs(this.#options.dir);
    const totalBytes = blocks * bsize;
    const ownReserve = Math.min(MAX_DEFAULT_RESERVE_BYTES, totalBytes * DEFAULT_RESERVE_SHARE);
    return {
      totalBytes,
      freeBytes: bavail * bsize,
      reserveBytes: Math.round(this.#options.reserveBytes ?? ownReserve),
    };
  }
}
