/** A place in charts: a step, of one metric or of all. */
export interface NotePlace {
  readonly step: number;
  /** Empty for all. */
  readonly key: string;
}

/** What somebody noted about a run. It does not change. */
export interface RunNote {
  readonly id: string;
  readonly project: string;
  readonly runId: string;
  /** Markdown. */
  readonly text: string;
  /** What it is about; absent: the whole run. */
  readonly at?: NotePlace;
  readonly createdBy: string;
  readonly createdAt: Date;
}
