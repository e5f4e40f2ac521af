import { registry } from "@trainyard/contracts";
import { doesNotExist, invalidParameter, MlflowError } from "../domain/mlflow-error.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";

const { getModel, getModelVersion, listModelVersions } = registry.RegistryService.method;

/** What MLflow says where the registry does not know a model. */
export const modelNameWords = (name: string) => ({
  MODEL_NOT_FOUND: () => doesNotExist(`Registered Model with name=${name} not found`),
  MODEL_HAS_HISTORY: (message: string) => new MlflowError("PERMISSION_DENIED", message),
  MODEL_NAME_IN_USE: (message: string) => new MlflowError("PERMISSION_DENIED", message),
  NAME_INVALID: (message: string) => invalidParameter(message),
});

/** What MLflow says where the registry does not know a version. */
export function versionWords(name: string, version: string) {
  const missing = () => doesNotExist(`Model Version (name=${name}, version=${version}) not found`);
  return { ...modelNameWords(name), MODEL_NOT_FOUND: missing, MODEL_VERSION_NOT_FOUND: missing };
}

export async function findModel(call: MlflowCall, name: string): Promise<registry.Model> {
  const { model } = await inWords(modelNameWords(name), () => call.rpc(getModel, { name }));
  if (model === undefined) throw new Error("the registry answered without the model");
  return model;
}

export async function findVersion(
  call: MlflowCall,
  model: string,
  version: string,
): Promise<registry.ModelVersion> {
  const words = versionWords(model, version);
  const { modelVersion } = await inWords(words, () => call.rpc(getModelVersion, { model, version }));
  if (modelVersion === undefined) throw words.MODEL_VERSION_NOT_FOUND();
  return modelVersion;
}

/** Every version of a model. */
export async function versionsOf(call: MlflowCall, model: string): Promise<readonly registry.ModelVersion[]> {
  const versions: registry.ModelVersion[] = [];
  let pageToken = "";
  do {
    const answer = await call.rpc(listModelVersions, { model, page: { pageSize: 500, pageToken } });
    versions.push(...answer.modelVersions);
    pageToken = answer.page?.nextPageToken ?? "";
  } while (pageToken !== "");
  return versions;
}
