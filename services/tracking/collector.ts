import { setTimeout as delay } from "node:timers/promises";
import { crashPoint } from "@trainyard/failpoint";
import type { Part } from "@trainyard/service";
import { lease } from "@trainyard/store";
import type { Deps } from "./deps.ts";
import { type CollectionSchedule, collectionDue } from "./domain/collection-schedule.ts";
import { collectGarbage } from "./operations/collect-garbage.ts";

const HOUR_MS = 60 * 60_000;
/** A collection that fails for a cause that stays must not fill the log. */
const RETRY_MS = 15 * 60_000;
const LOOK_EVERY_MS = 60_000;
const LEASE_TTL_MS = 30_000;

/** Collects every so many hours; with 0 only when somebody asks. */
export function hourlyCollector(deps: Deps, everyHours: number): Part {
  if (everyHours === 0) {
    return { name: "collector", start: async () => undefined, stop: async () => undefined };
  }
  return collector(deps, {
    everyMs: everyHours * HOUR_MS,
    retryMs: RETRY_MS,
    lookEveryMs: LOOK_EVERY_MS,
    leaseTtlMs: LEASE_TTL_MS,
  });
}

/** How a collector goes about its schedule. */
export interface CollectorTimes extends CollectionSchedule {
  /** How often it looks whether a collection is due. */
  readonly lookEveryMs: number;
  /** A replica that died is replaced after one to two of these. */
  readonly leaseTtlMs: number;
}

/**
 * Collects on schedule, in the one replica that holds the lease. When the last collection was is in the database and not in
 * any process, so that neither restarts nor another replica move the next one.
 */
export function collector(deps: Deps, { lookEveryMs, leaseTtlMs, ...schedule }: CollectorTimes): Part {
  const stopping = new AbortController();
  const leadership = lease({
    store: deps.store,
    name: "tracking-collector",
    holder: `tracking ${process.pid}`,
    ttlMs: leaseTtlMs,
  });
  let loop: Promise<void> | undefined;

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const held = await leadership.acquired(signal);
        await collectWhenDue(AbortSignal.any([signal, held.signal]));
      } catch (error) {
        if (!signal.aborted) deps.logger.warn({ err: error }, "a collection failed; the next one goes on");
      }
      await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function collectWhenDue(signal: AbortSignal): Promise<void> {
    const { collectionMarks } = deps.records;
    const mark = await collectionMarks.read(deps.now());
    if (collectionDue(mark, schedule) > deps.now()) return;
    await collectionMarks.began(deps.now());
    crashPoint("tracking.collection.began");
    await collect(signal);
    await collectionMarks.ended(deps.now());
  }

  async function collect(signal: AbortSignal): Promise<void> {
    const things = collectGarbage(deps, { dryRun: false, policy: deps.retention, signal });
    for (;;) {
      const { value, done } = await things.next();
      if (done === true) return deps.logger.info({ ...value }, "garbage collected");
      deps.logger.info({ ...value }, "freed");
    }
  }

  return {
    name: "collector",
    async start() {
      await leadership.start();
      loop = run(stopping.signal);
    },
    async stop(deadline) {
      stopping.abort();
      await loop;
      await leadership.stop(deadline);
    },
  };
}
