import { param } from "../../rest/route.ts";
import { required, text } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { safePath } from "../domain/safe-path.ts";
import { mlflowExperimentId, modelRoot, runRoot } from "../domain/uris.ts";
import { type Endpoint, endpoint, rawEndpoint } from "../http/endpoint.ts";
import { mlflowIdOf } from "../registry/logged-model-json.ts";
import { findLoggedModel } from "../registry/logged-model-words.ts";
import { findRun } from "../tracking/run-words.ts";
import { deleteFiles, findFile, listFolder, placeOf, putFile } from "./artifact-store.ts";
import { sendContent, storeBody } from "./content.ts";

const file = "mlflow-artifacts/artifacts/{path*}";

/** `mlflow-artifacts:`, and the listings of runs' and models' files. */
export const artifacts: readonly Endpoint[] = [
  rawEndpoint(`PUT ${file}`, async (call) => {
    const place = placeOf(safePath(param(call, "path")));
    await putFile(call, place, await storeBody(call));
    return {};
  }),

  rawEndpoint(`GET ${file}`, async (call) =>
    sendContent(call, await findFile(call, placeOf(safePath(param(call, "path"))))),
  ),

  rawEndpoint(`DELETE ${file}`, async (call) => {
    await deleteFiles(call, placeOf(safePath(param(call, "path"))));
    return {};
  }),

  endpoint("GET mlflow-artifacts/artifacts", { path: text }, async ({ path = "" }, call) => ({
    files: await listFolder(call, placeOf(safePath(path)), (name) => name),
  })),

  endpoint(
    "GET mlflow/artifacts/list",
    { run_id: required(text), path: text, page_token: text },
    async ({ run_id: runId, path = "" }, call) => {
      const folder = safePath(path);
      const run = await findRun(call, runId);
      const files = await listFolder(call, { kind: "run", runId, path: folder }, under(folder));
      const experimentId = mlflowExperimentId({ id: run.experimentId, name: run.experiment });
      return { root_uri: runRoot(experimentId, runId), files };
    },
  ),

  endpoint(
    "GET mlflow/logged-models/{model_id}/artifacts/directories",
    { model_id: required(text), artifact_directory_path: text },
    async ({ model_id: modelId, artifact_directory_path: path = "" }, call) => {
      const folder = safePath(path);
      const model = await findLoggedModel(call, modelId);
      const files = await listFolder(call, { kind: "model", modelId, path: folder }, under(folder));
      return { root_uri: modelRoot(await mlflowIdOf(call, model.experimentId), modelId), files };
    },
  ),

  rawEndpoint("GET mlflow/logged-models/{model_id}/artifacts/files", async (call) => {
    const path = call.query.get("artifact_file_path");
    if (!path) throw invalidParameter('Request must include the "artifact_file_path" query parameter.');
    const modelId = param(call, "model_id");
    return sendContent(call, await findFile(call, { kind: "model", modelId, path: safePath(path) }));
  }),

  rawEndpoint("GET get-artifact", async (call) => {
    const runId = call.query.get("run_id") ?? call.query.get("run_uuid");
    const path = call.query.get("path");
    if (!runId || !path) throw invalidParameter("Request must specify run_uuid and path.");
    return sendContent(call, await findFile(call, { kind: "run", runId, path: safePath(path) }));
  }),

  rawEndpoint("POST mlflow/upload-artifact", async (call) => {
    const runId = call.query.get("run_uuid");
    const path = call.query.get("path");
    if (!runId) throw invalidParameter("Request must specify run_uuid.");
    if (!path) throw invalidParameter("Request must specify path.");
    if (call.request.headers["content-length"] === "0") throw invalidParameter("Request must specify data.");
    await putFile(call, { kind: "run", runId, path: safePath(path) }, await storeBody(call));
    return {};
  }),
];

const under = (folder: string) => (name: string) => (folder === "" ? name : `${folder}/${name}`);
