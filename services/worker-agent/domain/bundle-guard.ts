/** Most files and folders of a code bundle. */
export const MAX_BUNDLE_ENTRIES = 20_000;
/** Most bytes of a code bundle after unpacking. */
export const MAX_BUNDLE_BYTES = 1024 ** 3;
/** Longest path in a code bundle, in UTF-16 units. */
export const MAX_BUNDLE_PATH = 512;

/** One entry of an archive, as its header tells. */
export interface BundleEntry {
  readonly path: string;
  /** The archive format's name of its type: "File", "Directory", "SymbolicLink", … */
  readonly type: string;
  /** Where a link points; absent or empty otherwise. */
  readonly linkPath?: string | undefined;
  readonly sizeBytes: number;
}

export interface BundleLimits {
  readonly entries: number;
  readonly bytes: number;
}

const plainTypes: ReadonlySet<string> = new Set(["File", "OldFile", "Directory"]);

/**
 * Why an archive must not be unpacked, or undefined when it may. Refused as a whole rather than skipping the bad entry:
 * code that runs with a file missing is worse than code that does not run.
 *
 * Links: a symbolic link may point inside the bundle. Its target may climb (`../`) only at its beginning, and nothing
 * may be placed below a link: with both rules the textual check below is what the file system does too.
 */
export function bundleProblem(
  entries: readonly BundleEntry[],
  limits: BundleLimits = { entries: MAX_BUNDLE_ENTRIES, bytes: MAX_BUNDLE_BYTES },
): string | undefined {
  if (entries.length > limits.entries) return `it has more than ${limits.entries} entries`;
  const total = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  if (total > limits.bytes) return `it unpacks to more than ${limits.bytes} bytes`;
  const links = new Set<string>();
  for (const entry of entries) {
    const problem = entryProblem(entry) ?? belowLink(entry, links);
    if (problem !== undefined) return `its entry ${JSON.stringify(entry.path.slice(0, 200))} ${problem}`;
    if (entry.type === "SymbolicLink") links.add(partsOf(entry.path).join("/"));
  }
  return undefined;
}

function entryProblem(entry: BundleEntry): string | undefined {
  if (entry.path.length > MAX_BUNDLE_PATH) return `is longer than ${MAX_BUNDLE_PATH} characters`;
  if (entry.path.startsWith("/") || entry.path.includes("\\")) return "is not a relative path";
  if (/\p{Cc}/u.test(entry.path)) return "contains a control character";
  if (partsOf(entry.path).includes("..")) return 'contains ".."';
  if (entry.type === "SymbolicLink") return linkProblem(entry);
  return plainTypes.has(entry.type)
    ? undefined
    : `is a ${entry.type}; only files, folders and links may be in it`;
}

function linkProblem(entry: BundleEntry): string | undefined {
  const target = entry.linkPath ?? "";
  const parts = partsOf(target);
  const climbs = parts.findIndex((part) => part !== "..");
  const up = climbs === -1 ? parts.length : climbs;
  const climbsLater = parts.slice(up).includes("..");
  const outside =
    target === "" || target.startsWith("/") || climbsLater || up > partsOf(entry.path).length - 1;
  return outside ? `is a link to ${JSON.stringify(target.slice(0, 200))}, outside the bundle` : undefined;
}

function belowLink(entry: BundleEntry, links: ReadonlySet<string>): string | undefined {
  const parts = partsOf(entry.path);
  const folders = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  const through = folders.find((folder) => links.has(folder));
  return through === undefined ? undefined : `is placed over or below the link ${JSON.stringify(through)}`;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
