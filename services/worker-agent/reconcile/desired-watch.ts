import { setTimeout as delay } from "node:timers/promises";
import { type Bus, buckets, openKv } from "@trainyard/bus";
import type { workeragent } from "@trainyard/contracts";
import { type Part, readDesiredState, type Verifier } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { BusLink } from "../heartbeat/bus-link.ts";

/** The key is read again so often, whatever the watch has told: a watch may miss what happened while it was cut off. */
const RELIST_MS = 30_000;
const RETRY_MS = 1_000;

/** What is read of an entry of the bucket. */
interface DesiredEntry {
  readonly operation: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface DesiredWatchOptions {
  readonly nodeId: string;
  readonly link: BusLink;
  /** Knows the scheduler's key. */
  readonly verifier: Verifier;
  readonly apply: (state: workeragent.NodeDesiredState) => void;
  readonly logger: Logger;
}

/**
 * Follows the node's own key in the bucket of desired states: by a watch, by reading it every 30 s and after each
 * reconnect. A key that is missing or deleted says nothing, nor does a value that the scheduler has not signed for this
 * node: what runs is kept.
 */
export class DesiredWatch implements Part {
  readonly name = "desired state";
  readonly #options: DesiredWatchOptions;
  readonly #stopping = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  #running: Promise<unknown> = Promise.resolve();
  /** The newest value that was refused, so that reading it again is not told again. */
  #refusedRevision = 0;

  constructor(options: DesiredWatchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running = Promise.all([
      this.#repeat((bus) => this.#watch(bus)),
      this.#repeat((bus) => this.#relist(bus)),
      this.#repeat((bus) => this.#relistOnReconnect(bus)),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the agent is stopping"));
    this.#stopped.resolve();
    await this.#running;
  }

  async #repeat(work: (bus: Bus) => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    let told = false;
    while (!signal.aborted) {
      try {
        const bus = await this.#options.link.connected(signal);
        // Not waited for when stopping: the client's iterators end only with the connection.
        await Promise.race([work(bus), this.#stopped.promise]);
        told = false;
      } catch (error) {
        if (signal.aborted) return;
        // The bucket is made by the scheduler, which may not have run yet.
        if (!told) this.#options.logger.info({ err: error }, "the desired state cannot be read; trying on");
        told = true;
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #watch(bus: Bus): Promise<void> {
    const kv = await openKv(bus, buckets.desired);
    const changes = await kv.watch({ key: this.#key });
    for await (const entry of changes) {
      if (this.#stopping.signal.aborted) return;
      await this.#receive(entry);
    }
  }

  async #relist(bus: Bus): Promise<void> {
    await this.#readOnce(bus);
    await delay(RELIST_MS, undefined, { signal: this.#stopping.signal });
  }

  async #relistOnReconnect(bus: Bus): Promise<void> {
    for await (const status of bus.nc.status()) {
      if (this.#stopping.signal.aborted) return;
      if (status.type === "reconnect") await this.#readOnce(bus);
    }
  }

  async #readOnce(bus: Bus): Promise<void> {
    const kv = await openKv(bus, buckets.desired);
    const entry = await kv.get(this.#key);
    if (entry !== null) await this.#receive(entry);
  }

  async #receive({ operation, value, revision }: DesiredEntry): Promise<void> {
    if (operation !== "PUT") return;
    const { verifier, nodeId, apply, logger } = this.#options;
    const reading = await readDesiredState(verifier, nodeId, value);
    if (reading.kind === "sound") {
      apply(reading.state);
    } else if (revision !== this.#refusedRevision) {
      this.#refusedRevision = revision;
      logger.error({ revision, why: reading.why }, "the desired state is not applied; what runs is kept");
    }
  }

  get #key(): string {
    return `node.${this.#options.nodeId}`;
  }
}
