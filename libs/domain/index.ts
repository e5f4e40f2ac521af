export {
  DomainError,
  type DomainErrorOptions,
  type ErrorCode,
  errorCodes,
  type FieldViolation,
  isDomainError,
} from "./domain-error.ts";
export { assertId, type IdKind, idKinds, isId, newId } from "./id.ts";
export { assertArtifactPath, assertName, MAX_ARTIFACT_PATH_BYTES, MAX_NAME_LENGTH } from "./names.ts";
export {
  bumpSemver,
  compareSemver,
  formatSemver,
  parseSemver,
  type Semver,
  type SemverPart,
} from "./semver.ts";
