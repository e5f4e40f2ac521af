import type { Alias, NamedText } from "./catalog.ts";
import type { Stage } from "./stage.ts";

/** A file of a version in the blob store. */
export interface StoredFile {
  readonly path: string;
  /** SHA-256, hex. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** One input or output of a model; -1 in a shape is a dimension of any size. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** What a model takes and gives. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** The result of an evaluation, as recorded on a version. */
export interface GateRecord {
  readonly evaluationId: string;
  readonly passed: boolean;
  /** One sentence per failed gate, or why nothing could be measured. */
  readonly messages: readonly string[];
  /** "digits@1". */
  readonly suite: string;
  readonly at: Date;
}

/** A person's word for a stage. */
export interface Approval {
  /** The actor: "user:ada". */
  readonly by: string;
  readonly stage: Stage;
  readonly at: Date;
  readonly comment: string;
}

/** Where a version came from: with it a version can be made again. */
export interface Origin {
  readonly runId: string;
  readonly jobId: string;
  readonly datasetVersionId: string;
  readonly codeDigest: string;
  /** SHA-256 over the hyperparameters, to tell a rerun from a change. */
  readonly paramsHash: string;
  /** The actor who submitted the run: may not approve the version. */
  readonly submittedBy: string;
  /** Host paths that the run was trained on: data that nothing has recorded. */
  readonly untrackedDataPaths?: readonly string[];
}

/** A person's word that a version may be promoted although nothing has recorded its training data. */
export interface Waiver {
  /** The actor: "user:ada". */
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
}

/** One version of a model. */
export interface ModelVersion {
  readonly id: string;
  readonly project: string;
  readonly model: string;
  /** Running number from 1. */
  readonly number: number;
  /** Semantic version. */
  readonly version: string;
  readonly stage: Stage;
  readonly origin: Origin;
  readonly artifactUri: string;
  readonly files: readonly StoredFile[];
  /** SHA-256 over the files; empty when registered by URI. */
  readonly digest: string;
  readonly framework: string;
  readonly signature?: Signature;
  readonly metrics: Readonly<Record<string, number>>;
  /** Suite that decides over it; empty for none. */
  readonly suite: string;
  readonly gate?: GateRecord;
  readonly approvals: readonly Approval[];
  readonly promotedBy: string;
  readonly promotedAt?: Date;
  readonly notes: string;
  /** Version of the model document at the last change. */
  readonly aggregateVersion: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly traceparent: string;
  readonly tags?: readonly NamedText[];
  readonly updatedAt?: Date;
  /** The run it was registered for by hand: it may be of several versions, and gives nothing to this one. */
  readonly sourceRunId?: string;
  /** The logged model that it was made of. */
  readonly loggedModelId?: string;
  readonly waiver?: Waiver;
}

/** A registered model: the aggregate that every change of one of its versions raises. */
export interface Model {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly description: string;
  readonly versionCount: number;
  /** Id of the champion; empty when there is none. */
  readonly championId: string;
  /** Ids of former champions that a rollback can return to, oldest first. */
  readonly formerChampionIds: readonly string[];
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly tags?: readonly NamedText[];
  readonly aliases?: readonly Alias[];
  readonly updatedAt?: Date;
  /** The highest running number ever given; absent while no version was removed. */
  readonly lastNumber?: number;
}

/** One step in a version's life. */
export interface StageChange {
  readonly model: string;
  readonly modelVersionId: string;
  readonly version: string;
  readonly from: Stage;
  readonly to: Stage;
  readonly by: string;
  readonly at: Date;
  readonly reason: string;
}
