import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "@trainyard/bus";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { type BusClock, probeSucceeded, silenceMs, stoppedBusClock } from "./domain/bus-clock.ts";

/** Keeps the clock that nodes' silence is measured on, by probing the bus. */
export interface BusProbe extends Part {
  /** How long a node has been silent; `undefined` while that cannot be told. */
  silenceMs(heardMs: number | undefined, nowMs: number): number | undefined;
  /** Begins anew: whoever takes over has not watched until now. */
  restart(): void;
}

/** Probes missed in a row after which nothing is known of the time between. */
const GAP_PROBES = 4;

export function createBusProbe(deps: {
  readonly bus: Bus;
  readonly everyMs: number;
  readonly logger: Logger;
}): BusProbe {
  const { bus, everyMs, logger } = deps;
  const maxGapMs = everyMs * GAP_PROBES;
  const stopping = new AbortController();
  let clock: BusClock = stoppedBusClock;
  let done: Promise<unknown> | undefined;

  async function probeForEver(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await bus.probe();
        clock = probeSucceeded(clock, performance.now(), maxGapMs);
      } catch (error) {
        if (clock.runningSinceMs !== undefined)
          logger.warn({ err: error }, "the bus does not answer: no node is judged");
        clock = stoppedBusClock;
      }
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  /** A reconnect between two probes goes unseen by them, and heartbeats sent meanwhile are gone. */
  async function watchConnection(): Promise<void> {
    const statuses = bus.nc.status();
    stopping.signal.addEventListener("abort", () => void statuses[Symbol.asyncIterator]().return?.(), {
      once: true,
    });
    for await (const { type } of statuses) {
      if (stopping.signal.aborted) return;
      if (type === "disconnect" || type === "reconnect") clock = stoppedBusClock;
    }
  }

  return {
    name: "bus probe",
    silenceMs: (heardMs, nowMs) => silenceMs(clock, heardMs, nowMs, maxGapMs),
    restart() {
      clock = stoppedBusClock;
    },
    async start() {
      void watchConnection().catch((error: unknown) => logger.warn({ err: error }, "the bus's status ended"));
      done = probeForEver();
    },
    async stop() {
      stopping.abort();
      await done;
    },
  };
}
