/** An experiment as MLflow keeps it. */
export interface MlflowExperiment {
  readonly id: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A dataset that a run was given. */
export interface MlflowInput {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string;
  readonly profile: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type MlflowStatus = "SCHEDULED" | "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

/** A run as MLflow keeps it, without its points and files. */
export interface MlflowRun {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly experimentId: string;
  readonly name: string;
  readonly status: MlflowStatus;
  readonly startTimeMs: number | undefined;
  readonly endTimeMs: number | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly inputs: readonly MlflowInput[];
  /** The logged models that it was given and made. */
  readonly models: readonly MlflowModelLink[];
  readonly artifactUri: string;
}

/** A logged model that a run was given or made. */
export interface MlflowModelLink {
  readonly modelId: string;
  readonly output: boolean;
  readonly step: bigint;
}

/** One point. */
export interface MlflowPoint {
  readonly key: string;
  readonly step: bigint;
  readonly timeMs: number;
  readonly value: number;
}

/** One value of a metric of a logged model. */
export interface MlflowModelPoint extends MlflowPoint {
  /** The run that measured it. */
  readonly runId: string;
  /** The dataset that it was measured on; empty when not told. */
  readonly datasetName: string;
  readonly datasetDigest: string;
}

/** A model as MLflow 3 logs it, in a registry or in none, without its files. */
export interface MlflowLoggedModel {
  /** "m-" and 32 hexadecimal digits. */
  readonly id: string;
  readonly experimentId: string;
  readonly name: string;
  readonly modelType: string;
  readonly status: "PENDING" | "READY" | "FAILED";
  readonly sourceRunId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly metrics: readonly MlflowModelPoint[];
  readonly artifactUri: string;
}

/** One file of a run or of a logged model: where it is on this machine, or how to get its bytes. */
export interface MlflowFile {
  /** Relative to the artifacts of what it belongs to, with "/". */
  readonly path: string;
  readonly content: { readonly file: string } | { readonly download: () => AsyncIterable<Uint8Array> };
}

/** A version of a registered model. */
export interface MlflowModelVersion {
  readonly model: string;
  readonly version: number;
  readonly runId: string;
  readonly source: string;
  readonly description: string;
  readonly stage: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A registered model with its versions, oldest first. */
export interface MlflowModel {
  readonly name: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly aliases: Readonly<Record<string, number>>;
  readonly versions: readonly MlflowModelVersion[];
}

/** Something that a source holds and does not give. */
export interface LeftOut {
  readonly what: string;
  readonly why: string;
  readonly count: number;
}

/** Why these are not taken. */
export const leftOutReasons = {
  deleted: "they are deleted there",
  traces: "traces have no place here",
  prompts: "prompts have no place here",
} as const;

/** Something that holds what MLflow tracked; deleted experiments, runs and logged models are left out. */
export interface MlflowSource {
  experiments(): AsyncIterable<MlflowExperiment>;
  runs(experiment: MlflowExperiment): AsyncIterable<MlflowRun>;
  /** A run by its id; undefined when it is not there or deleted. */
  run(id: string): Promise<MlflowRun | undefined>;
  /** All points of a run, by key; the points of a key come in the same order every time, and later ones come later. */
  points(run: MlflowRun): AsyncIterable<MlflowPoint>;
  /** The run's files. Throws ARTIFACTS_UNREACHABLE when they are where this machine cannot look. */
  files(run: MlflowRun): AsyncIterable<MlflowFile>;
  /** The logged models of an experiment; none of before MLflow 3. */
  loggedModels(experiment: MlflowExperiment): AsyncIterable<MlflowLoggedModel>;
  /** A logged model's files. Throws as `files` does. */
  modelFiles(model: MlflowLoggedModel): AsyncIterable<MlflowFile>;
  /** Registered models. */
  models(): AsyncIterable<MlflowModel>;
  /** What it holds and did not give; asked when everything else was. */
  leftOut(): Promise<readonly LeftOut[]>;
  close(): Promise<void>;
}

/** Tags in which MLflow keeps what the platform has fields for. */
export const mlflowTags = {
  parent: "mlflow.parentRunId",
  note: "mlflow.note.content",
  context: "mlflow.data.context",
  prompt: "mlflow.prompt.is_prompt",
} as const;

/** The context of an input, which MLflow keeps among its tags. */
export function contextOf(input: MlflowInput): string {
  return input.tags[mlflowTags.context] ?? "";
}
