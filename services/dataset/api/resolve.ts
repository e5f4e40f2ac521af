import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { dataset } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { projectOf } from "@trainyard/service";
import type { DatasetVersion } from "../domain/dataset-version.ts";
import { printable } from "../domain/printable.ts";
import { schemaDiff } from "../domain/schema-diff.ts";
import { assertUsable } from "../domain/usable.ts";
import type { DatasetName, DatasetRepository } from "../store/dataset-repository.ts";
import { lookUp } from "../store/look-up.ts";
import type { DatasetParts } from "./deps.ts";
import { versionToProto } from "./to-proto.ts";

/** Columns that a refusal lists. */
const MAX_DIFFERENCES = 50;

/** Turns what a job names into one version that it may use; an empty version is the latest. */
export async function resolve(
  { repository }: DatasetParts,
  request: dataset.ResolveDatasetVersionRequest,
  context: HandlerContext,
): Promise<dataset.ResolveDatasetVersionResponse> {
  const where = { project: projectOf(context), name: request.name };
  const version = await wanted(repository, where, request.version || "latest");
  assertUsable(version);
  await assertSchema(repository, version, request.schemaHash);
  return create(dataset.ResolveDatasetVersionResponseSchema, { datasetVersion: versionToProto(version) });
}

/** Where no version is usable, "latest" is the newest all the same: its refusal says why it cannot be used. */
async function wanted(
  repository: DatasetRepository,
  where: DatasetName,
  version: string,
): Promise<DatasetVersion> {
  if (version === "latest") {
    const found = (await repository.newest(where, "ready")) ?? (await repository.newest(where));
    if (found !== undefined) return found;
  }
  return lookUp(repository, where, version);
}

async function assertSchema(
  repository: DatasetRepository,
  version: DatasetVersion,
  pinned: string,
): Promise<void> {
  if (pinned === "" || pinned === version.schemaHash) return;
  const other = await repository.withSchema(version, pinned);
  const violations =
    other === undefined
      ? [
          {
            field: "schema_hash",
            description: `no version of ${version.name} has schema hash ${printable(pinned)}`,
          },
        ]
      : schemaDiff(other.columns, version.columns);
  const shown = violations.slice(0, MAX_DIFFERENCES);
  const than = other === undefined ? "the pinned one" : `version ${other.version}, which is pinned`;
  const text = shown.slice(0, 5).map(({ field, description }) => `${field}: ${description}`);
  throw new DomainError(
    "failed_precondition",
    "SCHEMA_HASH_MISMATCH",
    `${version.name} ${version.version} has another schema than ${than}: ${text.join("; ")}.`,
    { violations: shown, metadata: { expected: pinned, actual: version.schemaHash } },
  );
}
