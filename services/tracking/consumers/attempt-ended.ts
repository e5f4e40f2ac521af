import { scheduler } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { sightAttempt } from "../operations/sight-attempt.ts";
import { actor } from "./actor.ts";

/** An attempt is over: its run waits for another, or for its job's end. */
export function attemptEnded(deps: Deps): EventHandler {
  return on(scheduler.AttemptEndedSchema, { mode: "every-one" }, async (tx, { data, project }) => {
    const { runId, jobId, attempt } = data;
    await sightAttempt(deps, tx, {
      runId,
      jobId,
      project,
      actor,
      number: attempt?.number ?? 0,
      what: "ended",
    });
  });
}
