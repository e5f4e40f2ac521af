import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";

const PROBE_INTERVAL_MS = 1_000;

export interface SelfFenceOptions {
  /** Rejects while the bus cannot be reached. */
  readonly probe: () => Promise<void>;
  readonly fenceAfterMs: number;
  /** Whether there is anything to fence. */
  readonly hasRanks: () => boolean;
  readonly fence: () => void;
  readonly logger: Logger;
}

/**
 * Ends this node's ranks when it has been cut off for too long: by then the scheduler may have started them elsewhere,
 * and these would go on for nobody. Time is monotonic, and runs from the last answer of the bus.
 */
export class SelfFence implements Part {
  readonly name = "self fence";
  readonly #options: SelfFenceOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: SelfFenceOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the agent is stopping"));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { probe, fenceAfterMs, hasRanks, fence, logger } = this.#options;
    const { signal } = this.#stopping;
    let answeredAt = performance.now();
    while (!signal.aborted) {
      try {
        await probe();
        answeredAt = performance.now();
      } catch {
        const cutOffMs = performance.now() - answeredAt;
        if (cutOffMs > fenceAfterMs && hasRanks()) {
          logger.error(
            { cutOffMs: Math.round(cutOffMs) },
            "cut off from the bus for too long: the ranks are stopped",
          );
          fence();
        }
      }
      await delay(Math.min(PROBE_INTERVAL_MS, fenceAfterMs), undefined, { signal }).catch(() => undefined);
    }
  }
}
