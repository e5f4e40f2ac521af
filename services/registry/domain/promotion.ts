import { DomainError } from "@trainyard/domain";
import type { ModelVersion } from "./model-version.ts";
import { mayMove, needsApproval, needsGate, nextStages, type Stage } from "./stage.ts";
import { lacksWaiver } from "./waiver.ts";

/** Why a version may not enter a stage now. */
export type Obstacle =
  | { readonly reason: "VERSION_ARCHIVED" }
  | { readonly reason: "TRANSITION_NOT_ALLOWED"; readonly allowed: readonly Stage[] }
  | { readonly reason: "GATE_MISSING" }
  | { readonly reason: "GATE_FAILED"; readonly messages: readonly string[] }
  | { readonly reason: "DATA_UNTRACKED"; readonly paths: readonly string[] }
  | { readonly reason: "APPROVAL_MISSING" };

/** Everything that keeps a version from a stage, in the order a person would mend it. Empty: it may enter. */
export function obstacles(version: ModelVersion, to: Stage): readonly Obstacle[] {
  if (version.stage === "archived") return [{ reason: "VERSION_ARCHIVED" }];
  if (!mayMove(version.stage, to)) {
    return [{ reason: "TRANSITION_NOT_ALLOWED", allowed: nextStages(version.stage) }];
  }
  const found: Obstacle[] = [];
  if (needsGate(to) && lacksWaiver(version)) {
    found.push({ reason: "DATA_UNTRACKED", paths: version.origin.untrackedDataPaths ?? [] });
  }
  if (needsGate(to) && version.gate === undefined) found.push({ reason: "GATE_MISSING" });
  if (needsGate(to) && version.gate?.passed === false) {
    found.push({ reason: "GATE_FAILED", messages: version.gate.messages });
  }
  if (needsApproval(to) && !isApproved(version, to)) found.push({ reason: "APPROVAL_MISSING" });
  return found;
}

/** An approval counts when it is for the stage, of someone other than the submitter, and after the newest gate result. */
export function isApproved(version: ModelVersion, stage: Stage): boolean {
  return version.approvals.some(
    (approval) =>
      approval.stage === stage &&
      approval.by !== version.origin.submittedBy &&
      (version.gate === undefined || approval.at >= version.gate.at),
  );
}

/** Throws unless this actor may approve the version for the stage. */
export function assertMayApprove(version: ModelVersion, stage: Stage, by: string): void {
  if (by === version.origin.submittedBy) {
    throw new DomainError(
      "permission_denied",
      "APPROVER_IS_SUBMITTER",
      `${by} submitted ${title(version)} and may not approve it; another person with the role approver has to.`,
      { metadata: { submittedBy: version.origin.submittedBy } },
    );
  }
  const blocking = obstacles(version, stage).filter(({ reason }) => reason !== "APPROVAL_MISSING");
  throwFirst(version, stage, blocking);
}

/** Throws unless the version may enter the stage now. */
export function assertMayMove(version: ModelVersion, to: Stage): void {
  throwFirst(version, to, obstacles(version, to));
}

function throwFirst(version: ModelVersion, to: Stage, found: readonly Obstacle[]): void {
  const first = found[0];
  if (first === undefined) return;
  throw new DomainError(
    "failed_precondition",
    first.reason,
    `${title(version)} cannot become ${to}: ${sentence(version, first)}`,
    {
      metadata: { model: version.model, version: version.version, stage: version.stage },
    },
  );
}

function sentence(version: ModelVersion, obstacle: Obstacle): string {
  switch (obstacle.reason) {
    case "VERSION_ARCHIVED":
      return "it is archived. Only a rollback brings back a former champion; otherwise train a new version.";
    case "TRANSITION_NOT_ALLOWED":
      return `it is ${version.stage}, which may move to ${obstacle.allowed.join(", ") || "no other stage"}.`;
    case "GATE_MISSING":
      return version.suite === ""
        ? "it has not been evaluated. Evaluate it with a suite first (trainyard evaluate)."
        : `its evaluation with suite ${version.suite} has not ended yet.`;
    case "GATE_FAILED":
      return `its gates failed: ${obstacle.messages.join("; ")}.`;
    case "DATA_UNTRACKED":
      return `nothing has recorded the data that it was trained on (${obstacle.paths.join(", ")}). Train it on a dataset version, or have someone with the role approver answer for it (trainyard models waive ${version.model}@${version.version} --reason ...).`;
    case "APPROVAL_MISSING":
      return "nobody but its submitter has approved it since its newest evaluation. Someone with the role approver has to (trainyard approve).";
  }
}

function title(version: ModelVersion): string {
  return `${version.model} ${version.version}`;
}
