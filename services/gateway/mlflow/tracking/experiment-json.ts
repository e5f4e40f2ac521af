import { timestampMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { experimentRoot, mlflowExperimentId } from "../domain/uris.ts";
import type { Json } from "../http/endpoint.ts";

/** Tags as MLflow writes them. */
export function tagList(tags: Readonly<Record<string, string>>): Json {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

export const lifecycleStage = (lifecycle: tracking.Lifecycle) =>
  lifecycle === tracking.Lifecycle.DELETED ? "deleted" : "active";

/** An experiment as MLflow's clients read it. */
export function experimentJson(experiment: tracking.Experiment): Json {
  const id = mlflowExperimentId(experiment);
  return {
    experiment_id: id,
    name: experiment.name,
    artifact_location: experimentRoot(id),
    lifecycle_stage: lifecycleStage(experiment.lifecycle),
    ...(experiment.createdAt === undefined ? {} : { creation_time: timestampMs(experiment.createdAt) }),
    last_update_time: timestampMs(
      experiment.updatedAt ??
        experiment.createdAt ?? { $typeName: "google.protobuf.Timestamp", seconds: 0n, nanos: 0 },
    ),
    tags: tagList(experiment.tags),
  };
}
