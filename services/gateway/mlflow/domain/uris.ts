/** The experiment that MLflow's clients mean when they name none: its id is "0" there, whatever ours is. */
export const DEFAULT_EXPERIMENT = "Default";
export const DEFAULT_EXPERIMENT_ID = "0";

/** An experiment's id as MLflow's clients know it. */
export function mlflowExperimentId(experiment: { readonly id: string; readonly name: string }): string {
  return experiment.name === DEFAULT_EXPERIMENT ? DEFAULT_EXPERIMENT_ID : experiment.id;
}

export const experimentRoot = (experimentId: string) => `mlflow-artifacts:/${experimentId}`;

export const runRoot = (experimentId: string, runId: string) =>
  `${experimentRoot(experimentId)}/${runId}/artifacts`;

export const modelRoot = (experimentId: string, modelId: string) =>
  `${experimentRoot(experimentId)}/models/${modelId}/artifacts`;

/** What a path behind `mlflow-artifacts:/` belongs to, and where in it. */
export type ArtifactPlace =
  | { readonly kind: "run"; readonly runId: string; readonly path: string }
  | { readonly kind: "model"; readonly modelId: string; readonly path: string };

/** Reads `EXPERIMENT/RUN/artifacts/PATH` or `EXPERIMENT/models/MODEL/artifacts/PATH`. */
export function artifactPlace(path: string): ArtifactPlace | undefined {
  const parts = path.replace(/\/+$/, "").split("/");
  const [, owner = "", second = "", third = ""] = parts;
  if (owner === "models" && third === "artifacts") {
    return { kind: "model", modelId: second, path: parts.slice(4).join("/") };
  }
  if (second === "artifacts") return { kind: "run", runId: owner, path: parts.slice(3).join("/") };
  return undefined;
}
