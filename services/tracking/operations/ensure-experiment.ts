import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { type Experiment, newExperiment } from "../domain/experiment.ts";
import { experimentToProto } from "../wire/experiment-to-proto.ts";

/** Who makes an experiment, and who causes that. */
export interface Maker {
  /** Who is on record as its creator. */
  readonly by: string;
  /** Who caused it. */
  readonly actor: string;
}

/**
 * The project's experiment of that name, made if it is not there. Two at once: one of the transactions fails with a
 * duplicate key, and finds the other's when it runs again.
 */
export async function ensureExperiment(
  deps: Deps,
  tx: Tx,
  project: string,
  name: string,
  { by, actor }: Maker,
): Promise<Experiment> {
  const known = await deps.records.experiments.findByName(project, name, tx);
  if (known !== undefined) return known;
  return await insertExperiment(
    deps,
    tx,
    newExperiment({ id: newId("exp"), project, name, createdBy: by, createdAt: deps.now() }),
    actor,
  );
}

/** Stores a new experiment, with its event. */
export async function insertExperiment(
  deps: Deps,
  tx: Tx,
  experiment: Experiment,
  actor: string,
): Promise<Experiment> {
  await deps.records.experiments.save(tx, experiment);
  await tx.emit({
    schema: tracking.ExperimentCreatedSchema,
    project: experiment.project,
    id: experiment.id,
    aggregateVersion: experiment.version,
    actor,
    data: create(tracking.ExperimentCreatedSchema, { experiment: experimentToProto(experiment) }),
  });
  return experiment;
}
