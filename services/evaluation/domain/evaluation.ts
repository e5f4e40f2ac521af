import type { GateResult } from "./apply-gates.ts";
import type { Measured } from "./measured.ts";

/** Where an evaluation is; the last three are final. */
export type EvaluationState = "pending" | "running" | "passed" | "failed" | "errored";

/** A file of the measured model in the blob store. */
export interface ModelFile {
  readonly path: string;
  /** SHA-256, hex. */
  readonly digest: string;
}

/** What an evaluation measured, and what its gates found. */
export interface Report extends Measured {
  /** The dataset's version that was measured. */
  readonly datasetVersion: string;
  readonly gates: readonly GateResult[];
  /** SHA-256 of the whole report. */
  readonly artifactDigest: string;
}

/** How the evaluation's run ended. */
export type RunEnd =
  | { readonly kind: "completed"; readonly reportDigest: string; readonly datasetVersion: string }
  /** `message` is a sentence for people. */
  | { readonly kind: "unmeasured"; readonly message: string };

/** Measures one model version with one revision of a suite. */
export interface Evaluation {
  readonly id: string;
  readonly project: string;
  readonly model: string;
  readonly modelVersionId: string;
  /** Semantic version. */
  readonly modelVersion: string;
  readonly files: readonly ModelFile[];
  readonly suite: string;
  /** 0 when the suite did not exist. */
  readonly suiteRevision: number;
  readonly state: EvaluationState;
  /** Whether the version's registration started it: one such evaluation per version. */
  readonly automatic: boolean;
  /** The version of the suite's dataset that is measured; held before the job is submitted, so that trying again asks the same. */
  readonly datasetVersion: string;
  readonly jobId: string;
  readonly runId: string;
  /** Set when the run has ended and the result is still to be read. */
  readonly runEnd?: RunEnd;
  readonly report?: Report;
  /** Why it errored; empty otherwise. */
  readonly message: string;
  /** When the worker has to do something for it next; absent while there is nothing to do. */
  readonly dueAt?: Date;
  /** Failed tries of what is due. */
  readonly tries: number;
  /** Rises by one with every change that others can see. */
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly endedAt?: Date;
  /** Trace context of the model version: the evaluation belongs to its trace. */
  readonly traceparent: string;
}

export function isFinal(state: EvaluationState): boolean {
  return state === "passed" || state === "failed" || state === "errored";
}
