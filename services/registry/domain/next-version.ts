import { bumpSemver, compareSemver } from "@trainyard/domain";
import type { ModelVersion, Origin, Signature } from "./model-version.ts";

/** What decides a new version's semantic version. */
export interface VersionCandidate {
  readonly origin: Origin;
  readonly signature?: Signature;
}

const shapeOf = (signature: Signature | undefined) => JSON.stringify(signature ?? null);

const sameSource = (a: Origin, b: Origin) =>
  a.codeDigest !== "" &&
  a.codeDigest === b.codeDigest &&
  a.datasetVersionId === b.datasetVersionId &&
  a.paramsHash === b.paramsHash;

/**
 * The semantic version that follows: a change of the signature breaks callers and is a major; the same code, data and
 * parameters run again is a patch; anything else is a minor. The first version is 1.0.0.
 */
export function nextVersion(existing: readonly ModelVersion[], candidate: VersionCandidate): string {
  const latest = [...existing].sort((a, b) => compareSemver(b.version, a.version))[0];
  if (latest === undefined) return "1.0.0";
  if (shapeOf(latest.signature) !== shapeOf(candidate.signature)) return bumpSemver(latest.version, "major");
  return bumpSemver(latest.version, sameSource(latest.origin, candidate.origin) ? "patch" : "minor");
}
