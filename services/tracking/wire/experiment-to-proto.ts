import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import type { Experiment } from "../domain/experiment.ts";
import { lifecycleToProto } from "./lifecycle.ts";
import { textsToProto } from "./texts.ts";
import { timeField } from "./time.ts";

/** An experiment as the wire has it. */
export function experimentToProto(experiment: Experiment): tracking.Experiment {
  const { id, project, name, description, owner, createdBy } = experiment;
  return create(tracking.ExperimentSchema, {
    id,
    project,
    name,
    description,
    owner,
    createdBy,
    createdAt: timestampFromDate(experiment.createdAt),
    updatedAt: timestampFromDate(experiment.updatedAt),
    version: BigInt(experiment.version),
    tags: textsToProto(experiment.tags),
    lifecycle: lifecycleToProto(experiment.lifecycle),
    ...timeField("deletedAt", experiment.deletedAt),
  });
}
