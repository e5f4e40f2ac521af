import { reject } from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { ensureSubmitted } from "../operations/ensure-run.ts";
import { actor } from "./actor.ts";

/** A job was accepted: its run is created, or completed if its first attempt came earlier. */
export function jobSubmitted(deps: Deps): EventHandler {
  return on(scheduler.JobSubmittedSchema, { mode: "every-one" }, async (tx, { data }) => {
    if (data.job === undefined) return reject("the event has no job");
    await ensureSubmitted(deps, tx, data.job, actor);
    return undefined;
  });
}
