import { setTimeout as delay } from "node:timers/promises";
import { type Bus, type BusOptions, connectBus } from "@trainyard/bus";
import type { Part } from "@trainyard/service";

/** Between two tries to reach a bus that has never answered; once connected, the client reconnects by itself. */
const RETRY_MS = 500;

/**
 * The agent's connection to the bus, made in the background: an agent that starts while the bus is away still has ranks
 * to watch over.
 */
export class BusLink implements Part {
  readonly name = "bus";
  readonly #options: BusOptions;
  readonly #stopping = new AbortController();
  readonly #first = Promise.withResolvers<Bus>();
  #bus: Bus | undefined;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#first.promise.catch(() => undefined);
  }

  /** The connection, if there has been one; it may be cut off at the moment. */
  get bus(): Bus | undefined {
    return this.#bus;
  }

  /** Waits for the first connection. */
  async connected(signal: AbortSignal): Promise<Bus> {
    if (this.#bus !== undefined) return this.#bus;
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      return await Promise.race([this.#first.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** A round trip; rejects while the bus cannot be reached. */
  async probe(): Promise<void> {
    if (this.#bus === undefined) throw new Error("the bus has not been reached yet");
    await this.#bus.probe();
  }

  async start(): Promise<void> {
    void this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the agent is stopping"));
    await this.#bus?.close();
  }

  async #connect(): Promise<void> {
    const { signal } = this.#stopping;
    for (let tries = 0; !signal.aborted; tries += 1) {
      try {
        const bus = await connectBus(this.#options);
        if (signal.aborted) return await bus.close();
        this.#bus = bus;
        this.#first.resolve(bus);
        return;
      } catch (error) {
        if (tries === 0) this.#options.logger.warn({ err: error }, "the bus cannot be reached; trying on");
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
