import type { Logger } from "@trainyard/telemetry";
import type { Health } from "./health.ts";
import type { Part } from "./part.ts";

/** How long stopping may take in all before what is left is abandoned. */
const STOP_TIMEOUT_MS = 10_000;

export interface AppOptions {
  readonly name: string;
  readonly logger: Logger;
  /** In the order of starting: connections first, what serves the outside last. */
  readonly parts: readonly Part[];
  readonly stopTimeoutMs?: number;
  /** Told when all parts have started and when stopping begins. */
  readonly health?: Health;
}

/** A built service: its parts as one. */
export interface App {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Makes an app of parts. They start in order and stop in the reverse order, each named and timed in the log. A part
 * that fails to start ends the start, and those before it are stopped. A part that fails or hangs while it stops does
 * not keep the others from stopping; the failures are thrown together at the end.
 */
export function createApp(options: AppOptions): App {
  const { name, logger, parts, health, stopTimeoutMs = STOP_TIMEOUT_MS } = options;
  const started: Part[] = [];
  let stopping: Promise<void> | undefined;

  async function stopAll(): Promise<void> {
    health?.setStarted(false);
    const signal = AbortSignal.timeout(stopTimeoutMs);
    const failures: unknown[] = [];
    for (let part = started.pop(); part !== undefined; part = started.pop()) {
      const since = performance.now();
      try {
        await orAborted(part.stop(signal), signal);
        logger.debug({ part: part.name, ms: msSince(since) }, "part stopped");
      } catch (error) {
        failures.push(new Error(`${name}: stopping ${part.name} failed`, { cause: error }));
        logger.error({ part: part.name, ms: msSince(since), err: error }, "part failed to stop");
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `${name} did not stop cleanly`);
  }

  return {
    name,
    async start() {
      for (const part of parts) {
        if (stopping !== undefined) return;
        const since = performance.now();
        // Counted as started before it is: a part that failed half way has something to stop.
        started.push(part);
        try {
          await part.start();
        } catch (error) {
          stopping ??= stopAll();
          await stopping.catch(() => undefined); // Logged by part; the failure to start is what matters.
          throw new Error(`${name}: starting ${part.name} failed`, { cause: error });
        }
        logger.debug({ part: part.name, ms: msSince(since) }, "part started");
      }
      if (stopping === undefined) health?.setStarted(true);
    },
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
  };
}

/** Waits for a part, but not longer than the signal; a part that hangs is left behind. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(new Error("did not stop in time"));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    aborted.promise.catch(() => undefined);
    work.catch(() => undefined);
  }
}

function msSince(since: number): number {
  return Math.round(performance.now() - since);
}
