import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import { lease } from "@trainyard/store";
import type { Deps } from "./deps.ts";
import { collectGarbage } from "./operations/collect-garbage.ts";

const LEASE_TTL_MS = 30_000;
const HOUR_MS = 60 * 60_000;

/** Collects every so many hours, in one replica at a time; with 0 only when somebody asks. */
export function collector(deps: Deps, everyHours: number): Part {
  const stopping = new AbortController();
  const { signal } = stopping;
  const leadership = lease({
    store: deps.store,
    name: "tracking-collector",
    holder: `tracking ${process.pid}`,
    ttlMs: LEASE_TTL_MS,
  });
  let loop: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await delay(everyHours * HOUR_MS, undefined, { signal });
        await leadership.acquired(signal);
        await collect();
      } catch (error) {
        if (!signal.aborted) deps.logger.warn({ err: error }, "a collection failed; the next one goes on");
      }
    }
  }

  async function collect(): Promise<void> {
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
      if (everyHours === 0) return;
      await leadership.start();
      loop = run();
    },
    async stop(deadline) {
      stopping.abort();
      await loop;
      if (everyHours !== 0) await leadership.stop(deadline);
    },
  };
}
