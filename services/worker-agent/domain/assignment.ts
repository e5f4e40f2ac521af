/** One rank that this node shall run. */
export interface RankPlace {
  /** Its number in the gang, from 0. */
  readonly rank: number;
  /** Its number on this node, from 0. */
  readonly localRank: number;
  /** The node's slots it occupies. */
  readonly slots: readonly number[];
}

/** The Python that a job brings. */
export interface PythonWish {
  readonly interpreter: string;
  /** File of the code bundle that lists what to install. */
  readonly requirements: string;
  /** Whether the interpreter's own packages are hidden. */
  readonly isolated: boolean;
}

/** What one rank may use of its node; 0: no limit. */
export interface RankLimits {
  readonly memoryBytes: number;
  readonly processes: number;
  readonly openFiles: number;
}

/** What runs in the ranks: the parts of a job's spec that a node needs. */
export interface Work {
  /** SHA-256 of the code bundle; empty when the entrypoint is a module installed with the SDK. */
  readonly codeDigest: string;
  readonly entrypoint: readonly string[];
  /** The hyperparameters as a JSON object. */
  readonly paramsJson: string;
  /** The user's own variables; the platform's win over them. */
  readonly env: Readonly<Record<string, string>>;
  /** "torch" makes the ranks meet before the script starts, "tensorflow" tells each the addresses of all. */
  readonly framework: "torch" | "process" | "tensorflow";
  /** Whether the ranks may be forked from a process that has imported torch. */
  readonly start: "warm" | "cold";
  /** The Python of the ranks where it is not simply the node's; empty text: not given. */
  readonly python?: PythonWish;
  /** Axes of the gang's parallelism. */
  readonly mesh?: { readonly data: number; readonly tensor: number; readonly pipeline: number };
  /** When the SDK checkpoints; zero: not by steps, not by time. */
  readonly checkpoint: {
    readonly everySteps: number;
    readonly everySeconds: number;
    readonly best?: { readonly metric: string; readonly mode: "min" | "max" };
    /** Whether ranks give their bytes to the agent, and write none to the disk. */
    readonly stream: boolean;
  };
  /** Metrics whose first NaN or infinity halts the run; none when absent. */
  readonly haltOnNonFinite?: readonly string[];
  /** How long a collective of the ranks waits for those that do not come; 0: torch's own default. */
  readonly collectiveTimeoutSeconds: number;
  /** Decimal text, since a seed may exceed what a double holds. */
  readonly seed: string;
  /** Whether libraries are told to choose algorithms that repeat to the bit. */
  readonly deterministic: boolean;
  /** What each rank may use of this node; 0: no limit. */
  readonly limits: RankLimits;
  /** Whether each rank starts in a folder of its own. */
  readonly ownFolders: boolean;
  readonly inputs: readonly { readonly path: string; readonly digest: string }[];
  /** Paths on this node that the ranks read their data from. */
  readonly dataPaths: readonly string[];
  /** What the ranks are given that nobody may read; empty text: not as a variable, not as a file. */
  readonly secrets: readonly { readonly name: string; readonly env: string; readonly file: string }[];
}

/** A file of the checkpoint to resume from. */
export interface ResumeFile {
  readonly rank: number;
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** This node's part of one attempt, as the scheduler wants it. */
export interface Assignment {
  readonly jobId: string;
  readonly runId: string;
  readonly project: string;
  /** From 1; the fencing token of everything the attempt writes. */
  readonly attempt: number;
  readonly action: "run" | "stop";
  /** With "stop": the survivors of the gang may save its state first. */
  readonly handOver?: boolean;
  readonly worldSize: number;
  readonly ranks: readonly RankPlace[];
  /** Index of this node among the attempt's nodes; node 0 hosts the rendezvous. */
  readonly groupRank: number;
  readonly groupCount: number;
  /** The ids of those nodes, by their index; empty with "stop". */
  readonly groupNodes: readonly string[];
  readonly work: Work;
  /** Blob of the dataset's manifest; absent when the job has no dataset. */
  readonly datasetManifestDigest?: string;
  /** Files of the checkpoint to resume from; absent to begin at step 0. */
  readonly resume?: readonly ResumeFile[];
  readonly traceparent: string;
  readonly rankToken: string;
  readonly maxRestarts: number;
  /** The step at which the ranks shall checkpoint although none is due; absent when there is none. */
  readonly checkpointAtStep?: number;
  /** Between asking ranks to end and killing them. */
  readonly graceMs: number;
}

/** Names an attempt on a node, and its directory: `<jobId>-<attempt>`. */
export type AttemptKey = string;

export function attemptKey(of: { readonly jobId: string; readonly attempt: number }): AttemptKey {
  return `${of.jobId}-${of.attempt}`;
}
