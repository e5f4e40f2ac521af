import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@trainyard/telemetry";
import { backoffMs } from "../domain/backoff.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";

const RETRY = { firstMs: 100, maxMs: 5_000 };

/**
 * Publishes telemetry until the stream has taken it. While the bus is away, or the stream is full and refuses, the data
 * stays where it is safe (the rank's files) and the same message is offered again and again, more and more rarely.
 */
export class TelemetryPublisher {
  readonly #link: BusLink;
  readonly #logger: Logger;

  constructor(link: BusLink, logger: Logger) {
    this.#link = link;
    this.#logger = logger;
  }

  /** Resolves when the message is stored; rejects only when the signal aborts. */
  async publish(subject: string, data: Uint8Array, msgId: string, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; ) {
      const bus = await this.#link.connected(signal);
      signal.throwIfAborted();
      try {
        await bus.publish(subject, data, { msgId });
        if (failures > 0) this.#logger.info({ subject, failures }, "telemetry is shipped again");
        return;
      } catch (error) {
        failures += 1;
        if (failures === 1)
          this.#logger.warn({ subject, err: error }, "telemetry is kept: the stream did not take it");
        await delay(backoffMs(RETRY, failures, Math.random()), undefined, { signal });
      }
    }
  }
}
