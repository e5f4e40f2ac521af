import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { sourceKey, type TelemetrySource } from "../domain/telemetry-source.ts";

const TRIM_INTERVAL_MS = 1_000;

/** Keeps each output within its limit by deleting from its middle, a while after it has grown beyond. */
export interface LogTrimmer extends Part {
  /** An output has been stored up to this offset. */
  grew(source: TelemetrySource, end: number): void;
}

/**
 * What has to be trimmed is remembered in memory only: an output that still grows is seen again, and one that has ended
 * meanwhile keeps at most what came in the last interval before a crash.
 */
export function createLogTrimmer(deps: Deps, limitBytes: number): LogTrimmer {
  const half = Math.floor(limitBytes / 2);
  let grown = new Map<string, { readonly source: TelemetrySource; readonly end: number }>();
  let timer: NodeJS.Timeout | undefined;
  let trimming = Promise.resolve();

  async function trim(): Promise<void> {
    const all = [...grown.values()];
    grown = new Map();
    for (const { source, end } of all) {
      await deps.records.logs.deleteWithin(source, { begin: half, end: end - half });
    }
  }

  function look(): void {
    trimming = trimming
      .then(trim)
      .catch((error: unknown) => deps.logger.warn({ err: error }, "an output could not be trimmed"));
  }

  return {
    name: "log trimmer",
    grew(source, end) {
      const key = sourceKey(source);
      if (end > limitBytes && end > (grown.get(key)?.end ?? 0)) grown.set(key, { source, end });
    },
    async start() {
      timer = setInterval(look, TRIM_INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      look();
      await trimming;
    },
  };
}
