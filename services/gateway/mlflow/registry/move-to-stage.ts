import { registry, stageByWord } from "@trainyard/contracts";
import { visibleError } from "../../rest/http-error.ts";
import { MlflowError } from "../domain/mlflow-error.ts";
import type { RegistryStage } from "../domain/stages.ts";
import type { MlflowCall } from "../http/endpoint.ts";

const { transitionModelVersion } = registry.RegistryService.method;

/**
 * Moves a version by the registry's own rules: gates, and for champion the approval of somebody else. What they keep
 * from moving is PERMISSION_DENIED, with their reason: to MLflow's clients any stage is only a word.
 */
export async function moveToStage(
  call: MlflowCall,
  version: registry.ModelVersion,
  stage: RegistryStage,
): Promise<registry.ModelVersion> {
  if (version.stage === stageByWord[stage]) return version;
  const request = {
    model: version.model,
    version: version.id,
    stage: stageByWord[stage],
  };
  const { modelVersion } = await call
    .rpc(transitionModelVersion, { ...request, reason: "by an MLflow client" })
    .catch((error: unknown) => {
      const { code, reason, message } = visibleError(error);
      if (code !== "failed_precondition" && code !== "permission_denied") throw error;
      throw new MlflowError("PERMISSION_DENIED", `${reason}: ${message}`);
    });
  return modelVersion ?? version;
}
