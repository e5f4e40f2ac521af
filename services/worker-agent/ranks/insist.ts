import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@trainyard/telemetry";

/** Between tries of a step that the file system refused. */
const INSIST_INTERVAL_MS = 1_000;

/**
 * Does a step until it succeeds: a disk that is full for a while must not leave ranks unwatched. Rejects only when the
 * signal aborts. The first failure is logged, the same one again each second is not.
 */
export async function insist(
  step: () => Promise<void>,
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<void> {
  for (let told = false; ; told = true) {
    signal.throwIfAborted();
    try {
      return await step();
    } catch (error) {
      signal.throwIfAborted();
      if (!told) logger.error({ err: error }, "a step of the attempt failed; trying on");
      await delay(INSIST_INTERVAL_MS, undefined, { signal });
    }
  }
}
