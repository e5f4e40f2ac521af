import { setTimeout as delay } from "node:timers/promises";

/** Lets bytes through at a steady rate, after a burst; a token bucket. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #burstBytes: number;
  #left: number;
  #at = performance.now();

  constructor(options: { readonly bytesPerSecond: number; readonly burstBytes: number }) {
    this.#bytesPerSecond = options.bytesPerSecond;
    this.#burstBytes = options.burstBytes;
    this.#left = options.burstBytes;
  }

  /** Resolves when so many bytes were within the rate; they may have been sent already. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#left = Math.min(this.#burstBytes, this.#left + ((now - this.#at) / 1000) * this.#bytesPerSecond);
    this.#at = now;
    this.#left -= bytes;
    if (this.#left < 0) await delay((-this.#left / this.#bytesPerSecond) * 1000, undefined, { signal });
  }
}
