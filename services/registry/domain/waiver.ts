import { DomainError } from "@trainyard/domain";
import type { ModelVersion, Waiver } from "./model-version.ts";

/** Longest reason of a waiver, in characters. */
export const MAX_REASON_LENGTH = 4096;

/** Whether the version was trained on data that nothing has recorded, and nobody answers for that. */
export function lacksWaiver({ origin, waiver }: ModelVersion): boolean {
  return isUntracked(origin) && waiver === undefined;
}

/**
 * The version with a waiver; a new one takes the place of an older. Throws unless this person may answer for it: as with an
 * approval, whoever submitted the run has said enough.
 */
export function waived(version: ModelVersion, waiver: Waiver): ModelVersion {
  const title = `${version.model} ${version.version}`;
  if (waiver.reason === "" || waiver.reason.length > MAX_REASON_LENGTH) {
    const description = `expected 1 to ${MAX_REASON_LENGTH} characters that say why the version may be promoted all the same, got ${waiver.reason.length}`;
    throw new DomainError("invalid_argument", "REASON_MISSING", `reason: ${description}.`, {
      violations: [{ field: "reason", description }],
    });
  }
  if (!isUntracked(version.origin)) {
    throw new DomainError(
      "failed_precondition",
      "NOTHING_TO_WAIVE",
      `${title} was not trained on host paths, so there is nothing to waive.`,
      { metadata: { model: version.model, version: version.version } },
    );
  }
  if (waiver.by === version.origin.submittedBy) {
    throw new DomainError(
      "permission_denied",
      "APPROVER_IS_SUBMITTER",
      `${waiver.by} submitted ${title} and may not waive the record of its data; another person with the role approver has to.`,
      { metadata: { submittedBy: version.origin.submittedBy } },
    );
  }
  return { ...version, waiver };
}

function isUntracked({ untrackedDataPaths }: ModelVersion["origin"]): boolean {
  return untrackedDataPaths !== undefined && untrackedDataPaths.length > 0;
}
