/** Where a run goes on after one of its ranks died, by how its script uses the SDK. */
export interface Recovery {
  readonly mode: "just-in-time" | "last-checkpoint";
  /** UPPER_SNAKE; empty for `just-in-time`. */
  readonly reason: string;
  /** The same in a sentence. */
  readonly message: string;
}

/** What became of a gang's state when some of its ranks had died. */
export interface Handover {
  readonly saved: boolean;
  /** The step that was saved; -1 when none was. */
  readonly step: number;
  /** UPPER_SNAKE; empty when it was saved. */
  readonly reason: string;
  /** The same in a sentence. */
  readonly message: string;
  /** From the first death to the last byte. */
  readonly seconds: number;
}

/**
 * What is known of a gang's state after one more word. Each node of a gang on several may tell that its part is not saved, and
 * then the whole is not, whoever tells what else; otherwise the last word counts.
 */
export function handoverAfter(before: Handover | undefined, told: Handover): Handover {
  return before !== undefined && !before.saved && told.saved ? before : told;
}

/** Longest reason of a recovery or handover. */
export const MAX_RECOVERY_REASON = 64;
/** Longest sentence of a recovery or handover, in characters. */
export const MAX_RECOVERY_MESSAGE = 1_000;
