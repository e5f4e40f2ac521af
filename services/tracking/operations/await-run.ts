import { setTimeout as delay } from "node:timers/promises";
import type { Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { runNotFound } from "../domain/errors.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";

/** How long a read waits for a run whose job was accepted a moment ago, and how often it looks. */
export const AWAIT_RUN_MS = 2_000;
const LOOK_EVERY_MS = 100;
/** How long a read waits at most for what has arrived of the run to be stored: while that fails, it shows what there is. */
const SETTLE_MS = 1_000;

/** How long agents take, at most, to ship what ranks had recorded when they are told that somebody looks; and it to arrive. */
const SHIP_MS = 100;

/**
 * Finds a run to be read by its or its job's id, and waits up to AWAIT_RUN_MS for one that is not there yet: it comes by event, a
 * moment after its job was accepted. Everything that its ranks had recorded 100 ms ago is stored then, as far as agents and the
 * database work. Throws RUN_NOT_FOUND, also for a run of a project that is not the caller's.
 */
export async function awaitRun(
  deps: Deps,
  id: string,
  principal: Principal,
  signal: AbortSignal,
): Promise<RunRecord> {
  const found = await findSoon(deps, id, principal, signal);
  const hasWaited = principal.kind === "user" && (await untilShipped(deps, found, signal));
  await settleArrivals(deps, found.id, signal);
  return hasWaited ? ((await deps.records.runs.find(found.id)) ?? found) : found;
}

async function findSoon(
  deps: Deps,
  id: string,
  principal: Principal,
  signal: AbortSignal,
): Promise<RunRecord> {
  const deadline = performance.now() + AWAIT_RUN_MS;
  const listener = deps.signals.listen(id);
  try {
    for (;;) {
      const run = await deps.records.runs.findByIdOrJob(id);
      if (run !== undefined && mayRead(principal, run)) return run;
      if (signal.aborted || performance.now() > deadline) throw runNotFound(id);
      await listener.next(LOOK_EVERY_MS, signal);
    }
  } finally {
    listener.close();
  }
}

/**
 * Tells that the run is looked at, so that agents ship sooner what its ranks record. Who looks first waits until they have shipped
 * what they had. Returns whether there was need to.
 */
async function untilShipped({ signals }: Deps, run: RunRecord, signal: AbortSignal): Promise<boolean> {
  if (isFinal(run.status)) return false;
  const leftMs = SHIP_MS - signals.follow(run.id);
  if (leftMs <= 0 || run.status !== "running") return false;
  await delay(leftMs, undefined, { signal }).catch(() => undefined);
  return true;
}

/**
 * So that a read shows everything that has come; while that cannot be stored, it shows what there is. Points of calls were
 * acknowledged: a read that cannot show them throws POINTS_NOT_STORED.
 */
export async function settleArrivals(deps: Deps, runId: string, signal: AbortSignal): Promise<void> {
  await Promise.all([deps.journal.settled(runId), settleTelemetry(deps, runId, signal)]);
}

async function settleTelemetry(deps: Deps, runId: string, signal: AbortSignal): Promise<void> {
  const settled = deps.signals.settled(runId);
  if (settled === undefined) return;
  const done = new AbortController();
  const late = delay(SETTLE_MS, undefined, { signal: AbortSignal.any([signal, done.signal]) });
  await Promise.race([settled, late.catch(() => undefined)]);
  done.abort();
}

/** The same for a call that adds points to it: many come for one run, so a record of a moment ago will do. */
export async function runToLogTo(
  deps: Deps,
  id: string,
  principal: Principal,
  signal: AbortSignal,
): Promise<RunRecord> {
  const run = await deps.records.runs.findRecent(id);
  return run !== undefined && mayRead(principal, run) ? run : await findSoon(deps, id, principal, signal);
}

function mayRead(principal: Principal, run: RunRecord): boolean {
  return principal.project === undefined || principal.project === run.project;
}
