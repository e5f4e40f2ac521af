import { reject } from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import { recordSpan } from "@trainyard/telemetry";
import type { Deps } from "../deps.ts";
import { endRun } from "../operations/end-run.ts";
import { finalStatusOf } from "../wire/status.ts";
import { actor } from "./actor.ts";

/** Runs whose end this process has traced: a transaction that runs again must not leave a second span. */
const MAX_REMEMBERED = 1_000;

/** A job reached its final state: its run ends, whatever of the job was heard before. */
export function jobEnded(deps: Deps): EventHandler {
  const traced = new Set<string>();
  return on(scheduler.JobEndedSchema, { mode: "every-one" }, async (tx, { data: { job } }) => {
    if (job === undefined) return reject("the event has no job");
    const status = finalStatusOf(job.state);
    if (status === undefined)
      return reject(`job ${job.id} has ended in state ${job.state}, which is not final`);
    const ended = await endRun(deps, tx, job, status, actor);
    if (ended === undefined || traced.has(ended.id)) return undefined;
    traced.add(ended.id);
    if (traced.size > MAX_REMEMBERED) traced.delete([...traced][0] ?? "");
    recordSpan("run ended", {
      tracerName: "tracking",
      parent: ended.submission?.traceparent,
      startTime: ended.endedAt ?? deps.now(),
      endTime: deps.now(),
      attributes: { "trainyard.run": ended.id, "trainyard.status": status },
    });
    return undefined;
  });
}
