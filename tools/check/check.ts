/** How many things a check looked at; a static check counts as one. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** What came of one check; `output` is shown when it failed. */
export interface CheckResult extends Counts {
  readonly output: string;
}

/** One thing that `npm test` looks at. */
export interface Check {
  /** As given on the command line: `npm test -- unit`. */
  readonly name: string;
  readonly title: string;
  /** It mostly waits for processes of its own, so it runs beside the others and not in their row. */
  readonly beside?: boolean;
  /** Must not throw: a failure is a result. Ends, as failed, when the signal fires. */
  readonly run: (signal: AbortSignal) => Promise<CheckResult>;
}
