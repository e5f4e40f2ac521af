import type { dataset } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { fromConnectError, inProject } from "@trainyard/service";
import type { SuiteContent } from "../domain/suite.ts";
import type { EvaluationParts } from "./deps.ts";

/** Throws what the dataset service throws, or SUITE_INVALID, unless the suite's dataset has its split and its target column. */
export async function assertDataset(
  datasets: EvaluationParts["datasets"],
  project: string,
  { dataset: name, datasetVersion: version, split, target }: SuiteContent,
): Promise<void> {
  const found = await lookUp(datasets, project, name, version);
  const splits = found?.splits.map((each) => each.name) ?? [];
  const columns = found?.columns.map((each) => each.name) ?? [];
  const title = `dataset ${name} ${found?.version ?? version}`;
  if (splits.length > 0 && !splits.includes(split)) {
    throw invalid("split", `${title} has no split ${split}; it has ${splits.join(", ")}`);
  }
  if (columns.length > 0 && !columns.includes(target)) {
    throw invalid("target", `${title} has no column ${target}`);
  }
}

async function lookUp(
  datasets: EvaluationParts["datasets"],
  project: string,
  name: string,
  version: string,
): Promise<dataset.DatasetVersion | undefined> {
  try {
    return (await datasets.getDatasetVersion({ name, version }, inProject(project))).datasetVersion;
  } catch (error) {
    throw fromConnectError(error);
  }
}

function invalid(field: string, description: string): DomainError {
  return new DomainError("invalid_argument", "SUITE_INVALID", `suite.yaml: ${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}
