import { DomainError } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import type { DatasetVersion } from "../domain/dataset-version.ts";
import { printable } from "../domain/printable.ts";
import type { DatasetName, DatasetRepository } from "./dataset-repository.ts";

/**
 * The version by semantic version, id or "latest" (the newest usable one). Throws `not_found` DATASET_NOT_FOUND or
 * DATASET_VERSION_NOT_FOUND.
 */
export async function lookUp(
  repository: DatasetRepository,
  dataset: DatasetName,
  version: string,
  tx?: Tx,
): Promise<DatasetVersion> {
  const found =
    version === "latest"
      ? await repository.newest(dataset, "ready")
      : await repository.findVersion(dataset, version, tx);
  if (found !== undefined) return found;
  throw await notFound(repository, dataset, version, tx);
}

async function notFound(
  repository: DatasetRepository,
  dataset: DatasetName,
  version: string,
  tx: Tx | undefined,
): Promise<DomainError> {
  const name = printable(dataset.name);
  const isId = version.startsWith("dsv_");
  if (!isId && (await repository.findDataset(dataset, tx)) === undefined) {
    return refusal(
      "DATASET_NOT_FOUND",
      "name",
      `There is no dataset ${name} in project ${dataset.project}; trainyard datasets lists them.`,
    );
  }
  const what = version === "latest" ? "no usable version" : `no version ${printable(version)}`;
  const text = isId
    ? `There is no dataset version ${printable(version)}`
    : `Dataset ${name} has ${what}; trainyard datasets show ${name} lists them`;
  return refusal("DATASET_VERSION_NOT_FOUND", "version", `${text}.`);
}

function refusal(reason: string, field: string, description: string): DomainError {
  return new DomainError("not_found", reason, description, { violations: [{ field, description }] });
}
