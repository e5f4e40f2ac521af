import type { GangShape } from "./gang-shape.ts";

/** What may stand in hyperparameters: JSON. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Priority classes, the first one first. */
export const priorities = ["high", "normal", "low"] as const;
export type Priority = (typeof priorities)[number];

/** An uploaded code bundle; an empty digest when the job runs a module that is installed with the SDK. */
export interface CodeRef {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly gitCommit: string;
  readonly dirtyDiffDigest: string;
}

/** The dataset version as the job names it. */
export interface DatasetRef {
  readonly name: string;
  readonly version: string;
  readonly schemaHash: string;
}

/** The dataset version that the job was given at submission. */
export interface ResolvedDataset {
  readonly versionId: string;
  readonly name: string;
  readonly version: string;
  readonly schemaHash: string;
  readonly manifestDigest: string;
}

/** Classes of failure with a budget that a job may set. */
export type BudgetedClass = "infra" | "platform" | "data" | "preempted";

/** When a gang that makes no step counts as hung; `afterSeconds` 0: by its own pace. */
export interface HangPolicy {
  readonly off: boolean;
  readonly afterSeconds: number;
}

/** What becomes of an idle gang; `afterSeconds` 0: nothing. */
export interface IdlePolicy {
  readonly afterSeconds: number;
  readonly action: "warn" | "checkpoint" | "release";
}

/** What a user asks for, with every default filled in. Never changed after submission. */
export interface JobSpec {
  readonly name: string;
  readonly queue: string;
  readonly priority: Priority;
  readonly experiment: string;
  /** Processes of the gang. */
  readonly ranks: number;
  /** Slots each rank occupies on one node. */
  readonly slotsPerRank: number;
  readonly code: CodeRef;
  readonly entrypoint: readonly string[];
  readonly params: { readonly [key: string]: JsonValue };
  readonly env: Readonly<Record<string, string>>;
  readonly dataset?: DatasetRef;
  readonly checkpoint: CheckpointPolicy;
  /** Failures of the user's own code that may be retried. */
  readonly retries: number;
  readonly seed: number;
  /** Whether libraries may choose algorithms that do not repeat to the bit; not when absent. */
  readonly nondeterministic?: boolean;
  readonly model?: { readonly name: string; readonly suite: string };
  /** 0 means no limit. */
  readonly timeoutSeconds: number;
  readonly framework: "torch" | "process" | "tensorflow";
  readonly inputs: readonly { readonly path: string; readonly digest: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly kind: "training" | "evaluation";
  readonly sourceYaml: string;
  /** How ranks start; absent in jobs of an older version: warm where that can be. */
  readonly start?: StartMode;
  readonly python?: PythonEnvironment;
  readonly mesh?: Mesh;
  /** Spread over exactly so many nodes, with so many ranks on each. */
  readonly spread?: { readonly nodes: number; readonly ranksPerNode: number };
  /** The kind of slots that its ranks need; any when absent. */
  readonly slotKind?: string;
  /** Fewest ranks of an elastic gang, of which `ranks` is the most; absent when the number is fixed. */
  readonly minRanks?: number;
  readonly budgets?: Readonly<Partial<Record<BudgetedClass, number>>>;
  /** Metrics whose first NaN or infinity halts the run. */
  readonly haltOnNonFinite?: readonly string[];
  /** By its own pace when absent. */
  readonly hang?: HangPolicy;
  /** How long a collective waits for ranks that do not come; torch's own default in jobs of an older version. */
  readonly collectiveTimeoutSeconds?: number;
  /** What each rank may use of its node; no limit where absent. */
  readonly limits?: RankLimits;
  /** Whether the ranks of a node start in one folder, as under torchrun, or each in its own; shared when absent. */
  readonly workFolder?: WorkFolder;
  /** What the ranks are given that nobody may read. */
  readonly secrets?: readonly SecretRef[];
  /** A warning after ten minutes when absent. */
  readonly idle?: IdlePolicy;
  readonly startFrom?: StartFrom;
  /** Paths on the nodes that hold its data, where it has no dataset. */
  readonly dataPaths?: readonly string[];
}

/** When ranks checkpoint, and how many of them are kept. What is absent in jobs of an older version is not done. */
export interface CheckpointPolicy {
  /** 0: not by steps. */
  readonly everySteps: number;
  readonly keep: number;
  /** 0: not by time. */
  readonly everySeconds?: number;
  readonly best?: { readonly metric: string; readonly mode: "min" | "max"; readonly keep: number };
  /** Whether ranks' bytes go straight into the blob store. */
  readonly stream?: boolean;
}

/** The checkpoint of another run that the first attempt begins at; the one that was found once the job is accepted. */
export interface StartFrom {
  readonly runId: string;
  /** Absent: the newest. */
  readonly step?: number;
  /** Empty until the job is accepted. */
  readonly checkpointId: string;
}

/** What one rank may use of its node; 0: no limit. */
export interface RankLimits {
  readonly memoryBytes: number;
  /** Threads count too. */
  readonly processes: number;
  /** Of one process. */
  readonly openFiles: number;
}

export type WorkFolder = "shared" | "per-rank";

/** A secret of the project, and where the ranks find its value; empty text: not there. */
export interface SecretRef {
  readonly name: string;
  readonly env: string;
  readonly file: string;
}

/** Forked from a process that has imported torch where that can be, or each rank with an interpreter of its own. */
export type StartMode = "warm" | "cold";

/** The Python of the ranks where it is not simply the node's own. Empty text: not given. */
export interface PythonEnvironment {
  readonly interpreter: string;
  /** File of the code bundle that lists what to install. */
  readonly requirements: string;
  /** Whether the interpreter's own packages are hidden. */
  readonly isolated: boolean;
}

/** The axes of a gang's parallelism; rank = (pipeline, data, tensor) in row-major order. */
export interface Mesh {
  readonly data: number;
  readonly tensor: number;
  readonly pipeline: number;
}

/** The gang as placement sees it. */
export function shapeOf({ ranks, minRanks, slotsPerRank, mesh, spread, slotKind }: JobSpec): GangShape {
  return {
    ranks,
    slotsPerRank,
    ...(minRanks === undefined ? {} : { minRanks }),
    ...(mesh === undefined ? {} : { tensor: mesh.tensor }),
    ...(spread === undefined ? {} : { nodes: spread.nodes }),
    ...(slotKind === undefined ? {} : { slotKind }),
  };
}

/** Slots that the whole gang occupies. */
export function slotsNeeded(spec: Pick<JobSpec, "ranks" | "slotsPerRank">): number {
  return spec.ranks * spec.slotsPerRank;
}

/** A gang that nobody gave a policy is reported after ten minutes of doing nothing. */
const DEFAULT_IDLE: IdlePolicy = { afterSeconds: 600, action: "warn" };

/** What becomes of the job's gang when it is idle. */
export function idlePolicyOf(spec: Pick<JobSpec, "idle">): IdlePolicy {
  return spec.idle ?? DEFAULT_IDLE;
}

/** Fewest ranks that the gang may run with. */
export function fewestRanks(spec: Pick<JobSpec, "ranks" | "minRanks">): number {
  return spec.minRanks ?? spec.ranks;
}
