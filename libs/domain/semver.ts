import { DomainError } from "./domain-error.ts";

/** A semantic version without pre-release or build parts: Trainyard's versions are always final. */
export interface Semver {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

export type SemverPart = keyof Semver;

const SEMVER = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/;

/** Reads `1.4.0`. Throws `invalid_argument` SEMVER_INVALID naming the field for anything else. */
export function parseSemver(text: string, field = "version"): Semver {
  const match = SEMVER.exec(text);
  if (match === null) {
    const description = `expected MAJOR.MINOR.PATCH such as 1.4.0, got ${JSON.stringify(text.slice(0, 64))}`;
    throw new DomainError("invalid_argument", "SEMVER_INVALID", `${field}: ${description}.`, {
      violations: [{ field, description }],
    });
  }
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}

export function formatSemver(version: Semver): string {
  return `${version.major}.${version.minor}.${version.patch}`;
}

/** The next version when this part changes: the lower parts start again at 0. */
export function bumpSemver(version: string, part: SemverPart): string {
  const { major, minor, patch } = parseSemver(version);
  switch (part) {
    case "major":
      return formatSemver({ major: major + 1, minor: 0, patch: 0 });
    case "minor":
      return formatSemver({ major, minor: minor + 1, patch: 0 });
    case "patch":
      return formatSemver({ major, minor, patch: patch + 1 });
  }
}

/** Negative when `a` is older than `b`, positive when newer, 0 when the same: usable as a sort's comparator. */
export function compareSemver(a: string, b: string): number {
  const left = parseSemver(a);
  const right = parseSemver(b);
  return left.major - right.major || left.minor - right.minor || left.patch - right.patch;
}
