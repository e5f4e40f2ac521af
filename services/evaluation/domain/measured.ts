/** The quality on one class; NaN where it could not be computed. */
export interface ClassScores {
  readonly label: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Rows of this class. */
  readonly support: number;
}

/** What an evaluation job measured. */
export interface Measured {
  readonly rows: number;
  /** Scalars by name; NaN where one could not be computed. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly classes: readonly ClassScores[];
}
