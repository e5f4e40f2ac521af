import { bumpSemver, compareSemver, DomainError, parseSemver } from "@trainyard/domain";
import type { DatasetVersion } from "./dataset-version.ts";

/** What identifies a registration: the same content under the same contract is the same version. */
export type Identity = Pick<DatasetVersion, "contentHash" | "contractHash" | "format">;

/** What the choice of a version looks at. */
export type Known = Identity & Pick<DatasetVersion, "id" | "version" | "schemaHash" | "state">;

/** The version that a registration asks for exists already as it is, or it gets this new one. */
export type VersionChoice =
  | { readonly kind: "existing"; readonly id: string }
  | { readonly kind: "new"; readonly version: string };

/**
 * The version that registering this content once more gives back, if any: the one of the given name, or without a name
 * the newest with the same content and contract that is not deprecated. Throws `already_exists` VERSION_EXISTS when the
 * name is taken by other content.
 */
export function existingVersion(
  known: readonly Known[],
  identity: Identity,
  wanted: string,
): Known | undefined {
  const same = (version: Known) =>
    version.contentHash === identity.contentHash &&
    version.contractHash === identity.contractHash &&
    version.format === identity.format;
  if (wanted === "") return known.findLast((version) => same(version) && version.state !== "deprecated");
  parseSemver(wanted);
  const taken = known.find(({ version }) => version === wanted);
  if (taken === undefined || same(taken)) return taken;
  throw new DomainError(
    "already_exists",
    "VERSION_EXISTS",
    `Version ${wanted} exists with other content or another contract, and a version never changes. Choose another, or leave it out.`,
    { violations: [{ field: "version", description: `${wanted} is taken` }], metadata: { id: taken.id } },
  );
}

/**
 * The version of a registration among the known ones (in the order of registration). Derived: 1.0.0, then a major for
 * another schema than the highest version's, a minor for other rows.
 */
export function chooseVersion(
  known: readonly Known[],
  identity: Identity & { readonly schemaHash: string },
  wanted: string,
): VersionChoice {
  const existing = existingVersion(known, identity, wanted);
  if (existing !== undefined) return { kind: "existing", id: existing.id };
  if (wanted !== "") return { kind: "new", version: wanted };
  const highest = known.toSorted((a, b) => compareSemver(a.version, b.version)).at(-1);
  if (highest === undefined) return { kind: "new", version: "1.0.0" };
  const part = highest.schemaHash === identity.schemaHash ? "minor" : "major";
  return { kind: "new", version: bumpSemver(highest.version, part) };
}
