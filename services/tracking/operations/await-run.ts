import type { Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { runNotFound } from "../domain/errors.ts";
import type { RunRecord } from "../domain/run-record.ts";

/** How long a read waits for a run whose job was accepted a moment ago, and how often it looks. */
export const AWAIT_RUN_MS = 2_000;
const LOOK_EVERY_MS = 100;

/**
 * Finds a run by its or its job's id, and waits up to AWAIT_RUN_MS for one that is not there yet: it comes by event, a
 * moment after its job was accepted. Throws RUN_NOT_FOUND, also for a run of a project that is not the caller's.
 */
export async function awaitRun(
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

/** The same for a call that adds points to it: many come for one run, so a record of a moment ago will do. */
export async function runToLogTo(
  deps: Deps,
  id: string,
  principal: Principal,
  signal: AbortSignal,
): Promise<RunRecord> {
  const run = await deps.records.runs.findRecent(id);
  return run !== undefined && mayRead(principal, run) ? run : await awaitRun(deps, id, principal, signal);
}

function mayRead(principal: Principal, run: RunRecord): boolean {
  return principal.project === undefined || principal.project === run.project;
}
