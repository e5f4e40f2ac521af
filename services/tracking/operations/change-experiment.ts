import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { experimentExists } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import { experimentToProto } from "../wire/experiment-to-proto.ts";

/** Stores the changed experiment as its next version, with its event. Throws EXPERIMENT_EXISTS when the new name is taken. */
export async function saveExperiment(
  deps: Deps,
  tx: Tx,
  before: Experiment,
  next: Experiment,
  actor: string,
): Promise<Experiment> {
  const { experiments } = deps.records;
  if (next.name !== before.name) {
    const taken = await experiments.findByName(before.project, next.name, tx);
    if (taken !== undefined) throw experimentExists(taken);
  }
  const experiment = { ...next, version: before.version + 1, updatedAt: deps.now() };
  await experiments.save(tx, experiment);
  await tx.emit({
    schema: tracking.ExperimentUpdatedSchema,
    project: experiment.project,
    id: experiment.id,
    aggregateVersion: experiment.version,
    actor,
    data: create(tracking.ExperimentUpdatedSchema, { experiment: experimentForEvent(experiment) }),
  });
  return experiment;
}

/** Without what may be large: who is told of a change reads the rest. */
function experimentForEvent(experiment: Experiment): tracking.Experiment {
  return experimentToProto({ ...experiment, tags: experiment.tags.slice(0, MAX_EVENT_TAGS) });
}

/** Each has at most 8,250 bytes or so, and an event 512 KiB. */
const MAX_EVENT_TAGS = 32;
