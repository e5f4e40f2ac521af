import { create } from "@bufbuild/protobuf";
import { dataset } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import { versionToProto } from "./api/to-proto.ts";
import type { DatasetVersion } from "./domain/dataset-version.ts";

const schemas = {
  ready: dataset.DatasetVersionRegisteredSchema,
  quarantined: dataset.DatasetVersionQuarantinedSchema,
  deprecated: dataset.DatasetVersionDeprecatedSchema,
} as const;

/** Writes the event of a version that has come into its present state. The aggregate is the version. */
export async function emitState(tx: Tx, version: DatasetVersion, actor: string): Promise<void> {
  const { project, id, aggregateVersion } = version;
  const schema = schemas[version.state];
  const data = create(schema, { datasetVersion: versionToProto(version) });
  await tx.emit({ schema, project, id, aggregateVersion, actor, data });
}
