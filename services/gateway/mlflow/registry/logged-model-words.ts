import { registry } from "@trainyard/contracts";
import { doesNotExist } from "../domain/mlflow-error.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";

const { getLoggedModel } = registry.LoggedModelService.method;

const noModel = (id: string) => doesNotExist(`Logged model with ID '${id}' not found.`);

/** What MLflow says where the registry does not know a logged model. */
export const modelWords = (id: string) => ({ LOGGED_MODEL_NOT_FOUND: () => noModel(id) });

export async function findLoggedModel(
  call: MlflowCall,
  id: string,
  allowDeleted = false,
): Promise<registry.CatalogedModel> {
  const { model } = await inWords(modelWords(id), () => call.rpc(getLoggedModel, { id, allowDeleted }));
  if (model === undefined) throw noModel(id);
  return model;
}
