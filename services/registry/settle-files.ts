import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { FileHolds } from "./hold-files.ts";
import type { UnsettledFiles } from "./store/unsettled-files.ts";

/** How often is looked for versions whose files nobody has looked after. */
const LOOK_MS = 60_000;
/** Its event brings a version here at once; only what that has not done is left after so long. */
const GRACE_MS = 30_000;
/** Versions that one pass takes; what fails makes way for others that were noted later. */
const MAX_VERSIONS = 1_000;

/**
 * Looks after the files of versions that were registered or removed longer ago and are still noted, and gives how many of
 * them it could not: those are found again. What two replicas do to one version is the same.
 */
export async function settleFiles(
  { holds, unsettled, logger }: FilesToSettle,
  before: Date,
  signal?: AbortSignal,
): Promise<number> {
  let failed = 0;
  for (const { version } of await unsettled.notedBefore(before, MAX_VERSIONS)) {
    if (signal?.aborted === true) break;
    try {
      await holds.settle(version);
    } catch (error) {
      failed += 1;
      logger.warn({ err: error, version: version.id }, "a version's files could not be looked after");
    }
  }
  return failed;
}

/** What that needs. */
export interface FilesToSettle {
  readonly holds: FileHolds;
  readonly unsettled: UnsettledFiles;
  readonly logger: Logger;
}

/** Does so at the start, and once in a while. */
export function filesWatch(parts: FilesToSettle): Part {
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  async function run(): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      try {
        await settleFiles(parts, new Date(Date.now() - GRACE_MS), signal);
      } catch (error) {
        parts.logger.warn({ err: error }, "unsettled files could not be looked up; trying on");
      }
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    name: "files watch",
    async start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}
