import { scheduler } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { sightAttempt } from "../operations/sight-attempt.ts";
import { actor } from "./actor.ts";

/** Every rank of an attempt runs: so does its run. */
export function attemptStarted(deps: Deps): EventHandler {
  return on(scheduler.AttemptStartedSchema, { mode: "every-one" }, async (tx, { data, project }) => {
    const { runId, jobId, attempt } = data;
    await sightAttempt(deps, tx, {
      runId,
      jobId,
      project,
      actor,
      number: attempt?.number ?? 0,
      what: "started",
    });
  });
}
