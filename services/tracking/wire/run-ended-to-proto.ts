import type { Artifact } from "../domain/run-record.ts";
import type { RunView } from "../operations/run-view.ts";
import { artifactToProto, checkpointForEvent } from "./checkpoint-to-proto.ts";
import { runToProto } from "./run-to-proto.ts";

/** JSON bytes that the artifacts, and the metrics, may take of an event; the rest is read by RPC. */
const MAX_LIST_BYTES = 96 * 1024;

/**
 * The event of a run's end, of bounded size: it must be sent whatever a run has logged. The job file as written, and
 * what of artifacts and metrics goes beyond the bound, are left to GetRun and ListArtifacts.
 */
export function runEndedToProto(view: RunView, artifacts: readonly Artifact[]) {
  const metrics = firstWithin(view.metrics ?? [], ({ last }) => last.key.length + 160);
  const run = runToProto({ ...view, metrics });
  if (run.spec !== undefined) run.spec.sourceYaml = "";
  if (view.latestCheckpoint !== undefined) run.latestCheckpoint = checkpointForEvent(view.latestCheckpoint);
  return { run, artifacts: firstWithin(artifacts, ({ path }) => path.length + 180).map(artifactToProto) };
}

function firstWithin<T>(items: readonly T[], bytesOf: (item: T) => number): T[] {
  let bytes = 0;
  return items.filter((item) => {
    bytes += bytesOf(item);
    return bytes <= MAX_LIST_BYTES;
  });
}
