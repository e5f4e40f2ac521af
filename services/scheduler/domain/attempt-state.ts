/** Where one launch of a gang is. */
export type AttemptState = "opening" | "placed" | "running" | "stopping" | "ended";

/** The transitions of an attempt; whatever is not here never happens. */
export const attemptTransitions: Readonly<Record<AttemptState, readonly AttemptState[]>> = {
  // Slots are reserved, tracking is being told. A cancel here ends it: no agent has heard of it.
  opening: ["placed", "ended"],
  // Handed to the agents.
  placed: ["running", "stopping"],
  // Every rank has started.
  running: ["stopping", "ended"],
  // Being stopped; only confirmed deaths and lost nodes end it.
  stopping: ["ended"],
  ended: [],
};

/** Throws when the move is not in the table: a bug of the caller, never a user's error. */
export function assertAttemptTransition(from: AttemptState, to: AttemptState): void {
  if (!attemptTransitions[from].includes(to)) throw new Error(`an attempt cannot go from ${from} to ${to}`);
}

/** Whether it occupies its slots. */
export function holdsSlots(state: AttemptState): boolean {
  return state !== "ended";
}

/** Whether the agents have been, or are to be, told of it. */
export function isProjected(state: AttemptState): boolean {
  switch (state) {
    case "placed":
    case "running":
    case "stopping":
      return true;
    case "opening":
    case "ended":
      return false;
  }
}
