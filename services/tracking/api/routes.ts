import type { ConnectRouter } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import type { Deps } from "../deps.ts";
import { artifactService } from "./artifact-service.ts";
import { artifactsApi } from "./artifacts.ts";
import { attemptsApi } from "./attempts.ts";
import { checkpointsApi } from "./checkpoints.ts";
import { experimentService } from "./experiment-service.ts";
import { experimentsApi } from "./experiments.ts";
import { logsApi } from "./logs.ts";
import { metricService } from "./metric-service.ts";
import { metricsApi } from "./metrics.ts";
import { recoveryApi } from "./recovery.ts";
import { runFactsApi } from "./run-facts.ts";
import { runLifecycleApi } from "./run-lifecycle.ts";
import { runNotesApi } from "./run-notes.ts";
import { runWritesApi } from "./run-writes.ts";
import { runsApi } from "./runs.ts";
import { experimentSearchApi } from "./search-experiments.ts";
import { runSearchApi } from "./search-runs.ts";

/** Every method of the service. */
export function routes(deps: Deps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(tracking.TrackingService, {
      ...experimentsApi(deps),
      ...runsApi(deps),
      ...metricsApi(deps),
      ...logsApi(deps),
      ...attemptsApi(deps),
      ...checkpointsApi(deps),
      ...artifactsApi(deps),
      ...recoveryApi(deps),
      ...runFactsApi(deps),
    });
    router.service(tracking.MetricService, metricService(deps));
    router.service(tracking.RunService, {
      ...runWritesApi(deps),
      ...runLifecycleApi(deps),
      ...runNotesApi(deps),
      ...runSearchApi(deps),
    });
    router.service(tracking.ExperimentService, { ...experimentService(deps), ...experimentSearchApi(deps) });
    router.service(tracking.ArtifactService, artifactService(deps));
  };
}
