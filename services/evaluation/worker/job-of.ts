import { create, type JsonObject } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { Evaluation } from "../domain/evaluation.ts";
import type { Suite } from "../domain/suite.ts";

/** Label of the job, and so of its run, that names the evaluation. */
export const evaluationLabel = "evaluation";

/** Where the model's files are put, below the attempt's directory; the ranks' own directory stands beside `inputs`. */
const modelFolder = "inputs/model";
const modelDir = `../${modelFolder}`;

const maxNameLength = 128;

/** A name of what was put together from names: the characters that a version may have beyond them are replaced. */
function nameOf(text: string): string {
  return text.replace(/[^a-zA-Z0-9._-]/g, "-").slice(0, maxNameLength);
}

/**
 * The job that measures a model version: one rank that runs the SDK's own module, so it has no code bundle. The same
 * evaluation always gives the same job, so that submitting it again is recognised.
 */
export function jobOf(evaluation: Evaluation, suite: Suite, datasetVersion: string): scheduler.JobSpec {
  const { model, modelVersion, files } = evaluation;
  const params: JsonObject = { modelDir, split: suite.split, target: suite.target, perClass: true };
  return create(scheduler.JobSpecSchema, {
    kind: scheduler.JobKind.EVALUATION,
    name: nameOf(`evaluate-${model}-${modelVersion}`),
    experiment: nameOf(`evaluate-${model}`),
    entrypoint: ["-m", "trainyard.evaluate"],
    ranks: 1,
    retries: 1,
    dataset: { name: suite.dataset, version: datasetVersion },
    inputs: files.map(({ path, digest }) => ({ path: `${modelFolder}/${path}`, digest })),
    params,
    labels: { [evaluationLabel]: evaluation.id, "model-version": evaluation.modelVersionId },
  });
}
