/** What somebody noted about a run. It does not change. */
export interface RunNote {
  readonly id: string;
  readonly project: string;
  readonly runId: string;
  /** Markdown. */
  readonly text: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}
