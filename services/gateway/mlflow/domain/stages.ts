import { invalidParameter } from "./mlflow-error.ts";

/** A stage of the registry, in its own word. */
export type RegistryStage = "staging" | "canary" | "champion" | "archived";

/**
 * MLflow's stages, and what each is here. A version that is registered and under evaluation is in the registry's first
 * stage, which is no stage to MLflow; MLflow's Staging is where a candidate is tried, which is canary.
 */
const byName: Readonly<Record<string, RegistryStage>> = {
  None: "staging",
  Staging: "canary",
  Production: "champion",
  Archived: "archived",
};

export const stageNames: Readonly<Record<RegistryStage, string>> = {
  staging: "None",
  canary: "Staging",
  champion: "Production",
  archived: "Archived",
};

/** Aliases that are stages: they are set by the stage's own rules. */
export const reservedAliases: ReadonlySet<string> = new Set(Object.values(byName));

/** MLflow's name of a stage in the case that it is written in. Throws INVALID_PARAMETER_VALUE for another. */
export function canonicalStage(stage: string): { readonly name: string; readonly stage: RegistryStage } {
  const known = Object.entries(byName).find(([name]) => name.toLowerCase() === stage.toLowerCase());
  if (known !== undefined) return { name: known[0], stage: known[1] };
  throw invalidParameter(
    `Invalid Model Version stage: ${stage}. Value must be one of None, Staging, Production, Archived.`,
  );
}
