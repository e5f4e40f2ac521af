import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { foldMetrics } from "./fold-metrics.ts";
import { packAgainTime, packMetrics } from "./pack-metrics.ts";
import type { WorkShare } from "./work-share.ts";

/** How often is looked for what to do; a search never sees summaries that are older than this and the pass itself. */
const LOOK_MS = 800;
/** How often what calls brought is folded; whoever searches for it does so before, and calls wait while it is done. */
const CALLS_MS = 4_000;
/** The share of time that this work may take while others wait: a pass is followed by a pause in proportion to it. */
const REST_PER_WORK = 1;
/** Runs whose summaries shall be made anew, and whose batches shall be packed, that one pass takes. */
const MAX_STALE = 200;
const MAX_PACKED = 200;

/**
 * Works up what was stored: folds it into the runs' summaries, then packs it into chunks. Every replica does this for its
 * share of the runs; what a dead one leaves is taken over when its beats have stopped.
 */
export function metricWorker(deps: Deps, share: WorkShare): Part {
  const stopping = new AbortController();
  let nextCallsMs = 0;
  let loop: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const startedMs = performance.now();
      try {
        await pass(startedMs);
      } catch (error) {
        if (!stopping.signal.aborted)
          deps.logger.warn({ err: error }, "metrics could not be worked up; trying on");
      }
      const rest = Math.max(LOOK_MS, (performance.now() - startedMs) * REST_PER_WORK);
      await delay(rest, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function pass(nowMs: number): Promise<void> {
    const { metrics, metricStates } = deps.records;
    const withCalls = nowMs >= nextCallsMs;
    if (withCalls) nextCallsMs = nowMs + CALLS_MS;
    const unfolded = await metrics.unfoldedRuns(withCalls ? "all" : "streamed");
    const due = new Set([...unfolded, ...(await metricStates.stale(MAX_STALE))]);
    for (const runId of due) {
      if (stopping.signal.aborted) return;
      if (share.isMine(runId)) await workUp(runId, () => foldMetrics(deps, runId));
    }
    const now = deps.now();
    for (const runId of await metricStates.toPack(now, MAX_PACKED)) {
      if (stopping.signal.aborted) return;
      if (!share.isMine(runId)) continue;
      await workUp(runId, () => packMetrics(deps, runId, stopping.signal));
      await metricStates.lookedAfter(runId, now, packAgainTime(await metricStates.find(runId), deps.now()));
    }
  }

  /** What one run's metrics do not allow must keep no other's waiting. */
  async function workUp(runId: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      deps.logger.warn({ err: error, runId }, "a run's metrics could not be worked up; trying on");
    }
  }

  return {
    name: "metric worker",
    async start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/**
 * Folds every batch of a call that is not folded yet, so that a search that begins now finds what was logged before; what
 * ranks stream follows within about two seconds. Cheap when there is nothing to do.
 */
export async function foldCalls(deps: Deps): Promise<void> {
  await deps.journal.settled();
  for (const runId of await deps.records.metrics.unfoldedRuns("calls")) await foldMetrics(deps, runId);
}
