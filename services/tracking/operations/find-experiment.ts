import { isId } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { experimentDeleted, experimentNotFound } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import type { Scope } from "../store/session.ts";

/** The project's experiment of that id or name, a deleted one too. Throws EXPERIMENT_NOT_FOUND. */
export async function findExperiment(
  deps: Deps,
  project: string,
  idOrName: string,
  scope?: Scope,
): Promise<Experiment> {
  const { experiments } = deps.records;
  const found = isId("exp", idOrName)
    ? await experiments.find(idOrName, scope)
    : await experiments.findByName(project, idOrName, scope);
  if (found === undefined || found.project !== project) throw experimentNotFound(idOrName);
  return found;
}

/** The experiment, to change it. Throws EXPERIMENT_DELETED for a deleted one. */
export async function findActiveExperiment(
  deps: Deps,
  project: string,
  idOrName: string,
  scope?: Scope,
): Promise<Experiment> {
  const found = await findExperiment(deps, project, idOrName, scope);
  if (found.lifecycle === "deleted") throw experimentDeleted(found);
  return found;
}

/** Whether the caller may know of what belongs to this project. */
export function seesProject(principal: Principal, project: string): boolean {
  return principal.project === undefined || principal.project === project;
}
