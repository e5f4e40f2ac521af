import type { ValidationReport } from "./rule.ts";

/** Whether a version can be used. */
export type DatasetState = "ready" | "quarantined" | "deprecated";

export interface Column {
  readonly name: string;
  /** DuckDB's name of the type, such as "BIGINT". */
  readonly type: string;
  readonly nullable: boolean;
}

export interface Shard {
  readonly digest: string;
  readonly rows: number;
  readonly sizeBytes: number;
}

export interface Split {
  readonly name: string;
  readonly rows: number;
  readonly shards: readonly Shard[];
}

export interface SplitConfig {
  readonly fractions: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly key: string;
  readonly stratifyBy: string;
}

/** One immutable version of a dataset; only its state and the reason for its deprecation ever change. */
export interface DatasetVersion {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  /** Rises by one with every version of the dataset. */
  readonly number: number;
  readonly version: string;
  readonly contentHash: string;
  /** SHA-256 over the contract's meaning: two spellings of one contract have one. */
  readonly contractHash: string;
  readonly format: "parquet" | "csv";
  readonly rowCount: number;
  readonly sizeBytes: number;
  readonly schemaHash: string;
  readonly columns: readonly Column[];
  readonly splitConfig: SplitConfig;
  readonly splits: readonly Split[];
  readonly state: DatasetState;
  readonly report: ValidationReport;
  readonly manifestDigest: string;
  readonly deprecationReason: string;
  readonly contractYaml: string;
  readonly description: string;
  readonly target: string;
  readonly aggregateVersion: number;
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** A name with its versions counted. */
export interface Dataset {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly versionCount: number;
  /** Rises by one with every change. */
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
}
