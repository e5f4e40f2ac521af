import type { Artifact } from "../domain/run-record.ts";
import type { RunView } from "../operations/run-view.ts";
import { artifactToProto } from "./checkpoint-to-proto.ts";
import { firstWithin, runForEvent } from "./run-for-event.ts";

/** The event of a run's end, of bounded size: artifacts beyond it are left to ListArtifacts. */
export function runEndedToProto(view: RunView, artifacts: readonly Artifact[]) {
  return {
    run: runForEvent(view),
    artifacts: firstWithin(artifacts, ({ path }) => path.length + 180).map(artifactToProto),
  };
}
