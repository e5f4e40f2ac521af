/** Where a version is in its life. */
export const stages = ["staging", "canary", "champion", "archived"] as const;

export type Stage = (typeof stages)[number];

/**
 * Which stage a person may move a version to, by the stage it is in. Archived is the end: only a rollback brings a
 * former champion back, and that is a move of the model, not of the version.
 */
const allowed: Readonly<Record<Stage, readonly Stage[]>> = {
  staging: ["canary", "champion", "archived"],
  canary: ["staging", "champion", "archived"],
  champion: ["archived"],
  archived: [],
};

export function mayMove(from: Stage, to: Stage): boolean {
  return allowed[from].includes(to);
}

/** The stages a version in this stage may move to, for messages. */
export function nextStages(from: Stage): readonly Stage[] {
  return allowed[from];
}

/** Stages that serve traffic: a version needs passed gates to enter them. */
export function needsGate(stage: Stage): boolean {
  return stage === "canary" || stage === "champion";
}

/** Stages that a person other than the submitter has to approve. */
export function needsApproval(stage: Stage): boolean {
  return stage === "champion";
}
