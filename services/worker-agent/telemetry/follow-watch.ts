import { hearFollowed } from "@trainyard/bus";
import type { BusLink } from "../heartbeat/bus-link.ts";

/** So long a run counts as followed after tracking has told it, which it does each second. */
const FOLLOWED_MS = 5_000;

/** Knows whether somebody follows a run, as tracking tells. */
export class FollowWatch {
  readonly #link: BusLink;
  readonly #runId: string;
  #untilMs = 0;

  constructor(link: BusLink, runId: string) {
    this.#link = link;
    this.#runId = runId;
  }

  get isFollowed(): boolean {
    return performance.now() < this.#untilMs;
  }

  /** Listens until the signal aborts; the client keeps the subscription over reconnects. Never rejects. */
  async listen(signal: AbortSignal): Promise<void> {
    try {
      const bus = await this.#link.connected(signal);
      signal.throwIfAborted();
      const stop = hearFollowed(bus, this.#runId, () => {
        this.#untilMs = performance.now() + FOLLOWED_MS;
      });
      signal.addEventListener("abort", stop, { once: true });
    } catch {
      // It was aborted, or the connection is closed for good: the attempt is left.
    }
  }
}
