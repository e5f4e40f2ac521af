import { Buffer } from "node:buffer";
import { DomainError } from "@trainyard/domain";
import type { ReadContract } from "../contract/parse-contract.ts";
import type { DatasetVersion } from "../domain/dataset-version.ts";
import type { Identity } from "../domain/next-version.ts";
import type { Prepared } from "./prepare-version.ts";

/** Bytes of a version's description as JSON: with its envelope it has to fit into one message of the bus (1 MiB). */
const MAX_DESCRIBED_BYTES = 900 * 1024;

/** A registration as asked for, checked as far as it can be without the file. */
export interface Registration {
  readonly project: string;
  readonly name: string;
  /** Semantic version; empty derives it. */
  readonly wanted: string;
  readonly identity: Identity;
  readonly contract: ReadContract;
  readonly description: string;
  readonly createdBy: string;
}

/** The version that a registration makes of what was found. */
export function newVersion(
  asked: Registration,
  prepared: Prepared,
  own: Pick<DatasetVersion, "id" | "number" | "version" | "manifestDigest" | "createdAt">,
): DatasetVersion {
  const { contract, yaml } = asked.contract;
  const version: DatasetVersion = {
    ...own,
    ...prepared,
    ...asked.identity,
    project: asked.project,
    name: asked.name,
    splitConfig: {
      fractions: contract.splits,
      seed: contract.seed,
      key: contract.key,
      stratifyBy: contract.stratifyBy ?? "",
    },
    state: prepared.report.passed ? "ready" : "quarantined",
    deprecationReason: "",
    contractYaml: yaml,
    description: asked.description,
    target: contract.target ?? "",
    aggregateVersion: 1,
    createdBy: asked.createdBy,
  };
  assertDescribable(version);
  return version;
}

function assertDescribable(version: DatasetVersion): void {
  const bytes = Buffer.byteLength(JSON.stringify(version));
  if (bytes <= MAX_DESCRIBED_BYTES) return;
  throw new DomainError(
    "resource_exhausted",
    "VERSION_TOO_LARGE_TO_DESCRIBE",
    `The version's columns, rules and shards take ${bytes} bytes to describe; at most ${MAX_DESCRIBED_BYTES} are possible. Use fewer columns, rules or shards.`,
  );
}
