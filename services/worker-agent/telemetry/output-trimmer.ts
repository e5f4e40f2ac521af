import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@trainyard/telemetry";
import { logHoles } from "../domain/log-holes.ts";
import type { LogPump } from "./log-pump.ts";
import { onDisk, punchHoles } from "./punch-hole.ts";

const LOOK_MS = 2_000;
/** An output that occupies less is left alone. */
const LIMIT_BYTES = 32 * 1024 * 1024;

export interface OutputTrimmerOptions {
  readonly pumps: readonly LogPump[];
  /** Up to where tracking has an output; rejects when it does not say. */
  readonly stored: (pump: LogPump) => Promise<number>;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/**
 * Keeps what the ranks' outputs occupy on the node's disk within about 32 MiB each, also while the bus is away: what is
 * stored is given back, and then the middle that will be left out. Resolves when the signal aborts, or when the disk
 * cannot do it.
 */
export async function trimOutputs({ pumps, stored, signal, logger }: OutputTrimmerOptions): Promise<void> {
  while (!signal.aborted) {
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    for (const pump of signal.aborted ? [] : pumps) {
      const { allocatedBytes } = await onDisk(pump.path);
      if (allocatedBytes <= LIMIT_BYTES) continue;
      const known = await stored(pump).catch(() => 0);
      try {
        await punchHoles(pump.path, (size) => logHoles({ stored: known, position: pump.position, size }));
      } catch (error) {
        logger.warn(
          { err: error, path: pump.path },
          "outputs cannot be trimmed on this disk; they grow as long as they run",
        );
        return;
      }
    }
  }
}
