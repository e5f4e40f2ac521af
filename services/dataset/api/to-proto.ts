import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { dataset } from "@trainyard/contracts";
import type { DatasetState, DatasetVersion } from "../domain/dataset-version.ts";

const toState: Readonly<Record<DatasetState, dataset.DatasetState>> = {
  ready: dataset.DatasetState.READY,
  quarantined: dataset.DatasetState.QUARANTINED,
  deprecated: dataset.DatasetState.DEPRECATED,
};

/** A version as the contract has it. */
export function versionToProto(version: DatasetVersion): dataset.DatasetVersion {
  const { fractions, seed, key, stratifyBy } = version.splitConfig;
  return create(dataset.DatasetVersionSchema, {
    id: version.id,
    project: version.project,
    name: version.name,
    version: version.version,
    contentHash: version.contentHash,
    storageUri: `blob:sha256/${version.contentHash}`,
    rowCount: BigInt(version.rowCount),
    sizeBytes: BigInt(version.sizeBytes),
    schemaHash: version.schemaHash,
    columns: version.columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
    splitConfig: { fractions: { ...fractions }, seed: BigInt(seed), key, stratifyBy },
    splits: version.splits.map(({ name, rows, shards }) => ({
      name,
      rowCount: BigInt(rows),
      shards: shards.map(({ digest, rows, sizeBytes }) => ({
        digest,
        rowCount: BigInt(rows),
        sizeBytes: BigInt(sizeBytes),
      })),
    })),
    state: toState[version.state],
    report: reportToProto(version.report),
    manifestDigest: version.manifestDigest,
    deprecationReason: version.deprecationReason,
    contractYaml: version.contractYaml,
    description: version.description,
    aggregateVersion: BigInt(version.aggregateVersion),
    createdBy: version.createdBy,
    createdAt: timestampFromDate(version.createdAt),
    target: version.target,
  });
}

/** A version as lists show it: without the contract's text and the rules that held. */
export function listedVersionToProto(version: DatasetVersion): dataset.DatasetVersion {
  const { report } = version;
  const broken = report.rules.filter(({ passed }) => !passed);
  return versionToProto({ ...version, contractYaml: "", report: { ...report, rules: broken } });
}

function reportToProto({ passed, rules }: DatasetVersion["report"]): dataset.ValidationReport {
  return create(dataset.ValidationReportSchema, {
    passed,
    rules: rules.map((one) => ({
      rule: one.rule,
      column: one.column,
      passed: one.passed,
      failedRows: BigInt(one.failedRows),
      examples: [...one.examples],
    })),
  });
}
