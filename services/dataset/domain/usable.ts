import { DomainError } from "@trainyard/domain";
import type { DatasetVersion } from "./dataset-version.ts";
import { printable } from "./printable.ts";

/** Broken rules that a refusal names. */
const MAX_NAMED = 3;

/** Throws `failed_precondition`, saying why, unless new jobs may use the version. */
export function assertUsable(version: DatasetVersion): void {
  const title = `${version.name} ${version.version}`;
  switch (version.state) {
    case "ready":
      return;
    case "deprecated":
      throw new DomainError(
        "failed_precondition",
        "DATASET_DEPRECATED",
        `${title} is deprecated: ${printable(version.deprecationReason, 400)}. Use a newer version.`,
        { metadata: { id: version.id } },
      );
    case "quarantined":
      throw new DomainError(
        "failed_precondition",
        "DATASET_QUARANTINED",
        `${title} broke its contract: ${brokenRules(version)}. Mend the file and register it again.`,
        { metadata: { id: version.id } },
      );
  }
}

function brokenRules({ report }: DatasetVersion): string {
  const broken = report.rules.filter(({ passed }) => !passed);
  const named = broken
    .slice(0, MAX_NAMED)
    .map(({ rule, failedRows }) => (failedRows === 0 ? rule : `${rule} (${failedRows} rows do not hold)`));
  const rest = broken.length - named.length;
  return rest > 0 ? `${named.join("; ")}; and ${rest} more` : named.join("; ");
}
