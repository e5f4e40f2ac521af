import { artifacts } from "./artifacts/artifacts.ts";
import { multipart } from "./artifacts/multipart.ts";
import { type Endpoint, endpoint } from "./http/endpoint.ts";
import { loggedModels } from "./registry/logged-models.ts";
import { modelAliases } from "./registry/model-aliases.ts";
import { modelVersions } from "./registry/model-versions.ts";
import { registeredModels } from "./registry/registered-models.ts";
import { searchLoggedModels } from "./registry/search-logged-models.ts";
import { batch } from "./tracking/batch.ts";
import { experiments } from "./tracking/experiments.ts";
import { inputs } from "./tracking/inputs.ts";
import { metricHistory } from "./tracking/metric-history.ts";
import { metrics } from "./tracking/metrics.ts";
import { params } from "./tracking/params.ts";
import { runTags } from "./tracking/run-tags.ts";
import { runs } from "./tracking/runs.ts";
import { searchRuns } from "./tracking/search-runs.ts";

/** The version of MLflow whose REST interface this is. */
export const MLFLOW_VERSION = "3.17.2";

/** What a client of MLflow 3 asks before it uses newer features. */
const serverInfo = endpoint("GET mlflow/server-info", {}, async () => ({
  store_type: "SqlStore",
  workspaces_enabled: false,
  trace_archival_enabled: false,
  multipart_uploads_enabled: true,
  multipart_downloads_enabled: false,
  presigned_upload_run_id_supported: false,
  presigned_upload_model_id_supported: false,
}));

/** MLflow's REST interface, as far as it is here; `domain/refusals.ts` lists what is not. */
export const endpoints: readonly Endpoint[] = [
  serverInfo,
  ...experiments,
  ...runs,
  ...searchRuns,
  ...metrics,
  ...metricHistory,
  ...params,
  ...runTags,
  ...batch,
  ...inputs,
  ...artifacts,
  ...multipart,
  // Before those whose path has a parameter in its place.
  ...searchLoggedModels,
  ...loggedModels,
  ...registeredModels,
  ...modelVersions,
  ...modelAliases,
];
