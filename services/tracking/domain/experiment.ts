/** A group of runs that are compared with each other. */
export interface Experiment {
  readonly id: string;
  readonly project: string;
  /** Unique in the project. */
  readonly name: string;
  readonly description: string;
  /** Who answers for it. */
  readonly owner: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly version: number;
}
