/** Where a node's part of an attempt is. "finalized" and "failed_to_start" are final. */
export type AttemptPhase =
  | "preparing"
  | "starting"
  | "running"
  | "stopping"
  | "flushing"
  | "finalized"
  | "failed_to_start";

/** What can happen to an attempt. */
export type AttemptHappening =
  /** Code, data and checkpoint are in place. */
  | "prepared"
  /** Something could not be fetched, or the shim could not be started. */
  | "could_not_start"
  /** Every rank of this node has a process. */
  | "ranks_started"
  /** The scheduler, or this node, wants the ranks to end. */
  | "stop_asked"
  /** A rank ended without success, so the shim ends the others. */
  | "rank_failed"
  /** No process of the attempt is left. */
  | "ranks_ended"
  /** Everything the ranks recorded is stored. */
  | "confirmed";

/**
 * The life of an attempt on a node. What is not listed cannot happen in that phase and changes nothing: happenings come
 * from polled files, so a late or repeated one is normal.
 */
const transitions: Readonly<Record<AttemptPhase, Partial<Record<AttemptHappening, AttemptPhase>>>> = {
  preparing: { prepared: "starting", could_not_start: "failed_to_start", stop_asked: "stopping" },
  starting: {
    ranks_started: "running",
    could_not_start: "failed_to_start",
    stop_asked: "stopping",
    rank_failed: "stopping",
    ranks_ended: "flushing",
  },
  running: { stop_asked: "stopping", rank_failed: "stopping", ranks_ended: "flushing" },
  stopping: { ranks_ended: "flushing" },
  flushing: { confirmed: "finalized" },
  finalized: {},
  failed_to_start: {},
};

/** The phase after something happened; the same phase when that changes nothing. */
export function phaseAfter(phase: AttemptPhase, happening: AttemptHappening): AttemptPhase {
  return transitions[phase][happening] ?? phase;
}

/** Whether the attempt is over on this node and only waits to be forgotten. */
export function isFinal(phase: AttemptPhase): boolean {
  return phase === "finalized" || phase === "failed_to_start";
}

/** What a spool directory tells about an attempt; each is a file written before the step it stands for counts. */
export interface SpoolFacts {
  readonly prepared: boolean;
  readonly failed: boolean;
  readonly stopAsked: boolean;
  readonly ranksStarted: boolean;
  readonly rankFailed: boolean;
  readonly ranksEnded: boolean;
  readonly confirmed: boolean;
}

/** Where an attempt goes on after the agent was restarted: what its directory shows, told to the table in order. */
export function phaseFromSpool(facts: SpoolFacts): AttemptPhase {
  const happened: readonly [boolean, AttemptHappening][] = [
    [facts.prepared, "prepared"],
    [facts.failed, "could_not_start"],
    [facts.ranksStarted, "ranks_started"],
    [facts.rankFailed, "rank_failed"],
    [facts.stopAsked, "stop_asked"],
    [facts.ranksEnded, "ranks_ended"],
    [facts.confirmed, "confirmed"],
  ];
  return happened.reduce<AttemptPhase>(
    (phase, [seen, happening]) => (seen ? phaseAfter(phase, happening) : phase),
    "preparing",
  );
}
