import type { Lifecycle } from "./lifecycle.ts";
import type { NamedText } from "./named-text.ts";

/** A group of runs that are compared with each other. */
export interface Experiment {
  readonly id: string;
  readonly project: string;
  /** Unique in the project, among deleted ones too. */
  readonly name: string;
  readonly description: string;
  /** Who answers for it. */
  readonly owner: string;
  readonly tags: readonly NamedText[];
  readonly lifecycle: Exclude<Lifecycle, "archived">;
  /** Absent while it is active. */
  readonly deletedAt?: Date;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly version: number;
}

/** A new experiment. */
export function newExperiment(
  identity: Pick<Experiment, "id" | "project" | "name" | "createdBy" | "createdAt"> &
    Partial<Pick<Experiment, "description" | "owner" | "tags">>,
): Experiment {
  const { createdBy, createdAt } = identity;
  return {
    description: "",
    owner: createdBy,
    tags: [],
    ...identity,
    lifecycle: "active",
    updatedAt: createdAt,
    version: 1,
  };
}
