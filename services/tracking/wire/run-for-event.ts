import type { tracking } from "@trainyard/contracts";
import type { NamedText } from "../domain/named-text.ts";
import type { RunView } from "../operations/run-view.ts";
import { checkpointForEvent } from "./checkpoint-to-proto.ts";
import { runToProto } from "./run-to-proto.ts";

/** JSON bytes that each list of an event may take; the rest is read by RPC. */
export const MAX_LIST_BYTES = 96 * 1024;

/**
 * A run for an event, of bounded size: the event must be sent whatever a run has logged. The job file as written, and
 * what of metrics, parameters, tags and datasets goes beyond the bound, are left to GetRun.
 */
export function runForEvent(view: RunView): tracking.Run {
  const metrics = firstWithin(view.metrics ?? [], ({ key }) => key.length + 160);
  const record = {
    ...view.run,
    // Twice, as they are sent with their types and as texts.
    params: firstWithin(view.run.params, (param) => 2 * textBytes(param)),
    tags: firstWithin(view.run.tags, textBytes),
    inputs: [],
  };
  const run = runToProto({ ...view, run: record, metrics });
  if (run.spec !== undefined) run.spec.sourceYaml = "";
  if (view.latestCheckpoint !== undefined) run.latestCheckpoint = checkpointForEvent(view.latestCheckpoint);
  return run;
}

function textBytes({ key, value }: NamedText): number {
  return JSON.stringify(key).length + JSON.stringify(value).length + 4;
}

/** The first items, as many as fit. */
export function firstWithin<T>(items: readonly T[], bytesOf: (item: T) => number): T[] {
  let bytes = 0;
  return items.filter((item) => {
    bytes += bytesOf(item);
    return bytes <= MAX_LIST_BYTES;
  });
}
