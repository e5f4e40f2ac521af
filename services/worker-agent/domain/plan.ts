import { type Assignment, type AttemptKey, attemptKey } from "./assignment.ts";
import { type AttemptPhase, isFinal } from "./attempt-phase.ts";

/** An attempt that this node has anything of. */
export interface ActualAttempt {
  readonly key: AttemptKey;
  readonly phase: AttemptPhase;
}

/** One step towards the desired state. Each is safe to repeat. */
export type Action =
  | { readonly kind: "start"; readonly assignment: Assignment }
  /** Its assignment is there when the node has nothing of the attempt, so that it can report it as reaped. */
  | { readonly kind: "stop"; readonly key: AttemptKey; readonly assignment?: Assignment }
  /** Deletes what is left of an ended attempt. */
  | { readonly kind: "forget"; readonly key: AttemptKey };

/**
 * What to do to make the node's actual state equal to the desired one.
 *
 * `desired` is undefined while nobody has told: then nothing is to be done, for only an explicit list stops ranks. With
 * a list, an attempt that it does not hold is stopped, and forgotten once it is over.
 */
export function plan(
  desired: readonly Assignment[] | undefined,
  actual: readonly ActualAttempt[],
): readonly Action[] {
  if (desired === undefined) return [];
  const wanted = new Map(desired.map((assignment) => [attemptKey(assignment), assignment]));
  const phases = new Map(actual.map((attempt) => [attempt.key, attempt.phase]));
  return [
    ...[...phases].flatMap(([key, phase]) => towards(wanted.get(key), key, phase)),
    ...[...wanted].flatMap(([key, assignment]) => (phases.has(key) ? [] : begin(key, assignment))),
  ];
}

function towards(assignment: Assignment | undefined, key: AttemptKey, phase: AttemptPhase): Action[] {
  if (assignment?.action === "run") return [];
  if (isFinal(phase)) return assignment === undefined ? [{ kind: "forget", key }] : [];
  return phase === "stopping" || phase === "flushing" ? [] : [{ kind: "stop", key }];
}

function begin(key: AttemptKey, assignment: Assignment): Action[] {
  return assignment.action === "run" ? [{ kind: "start", assignment }] : [{ kind: "stop", key, assignment }];
}
