// Plain JavaScript: set-up asks, too, before there is a Node that runs TypeScript. Documented in index.d.ts.
import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const inRoot = ".cache/bundle";

export const bundleFolder = join(checkout, inRoot);

export function bundleOf(entry, root = checkout) {
  const { entries, sources } = readManifest(root);
  const file = entries[entry];
  const isUnchanged = ([path, mtimeMs, size]) => {
    const now = statSync(join(root, path), { throwIfNoEntry: false });
    return now !== undefined && now.mtimeMs === mtimeMs && now.size === size;
  };
  if (file === undefined || !sources.every(isUnchanged)) return undefined;
  return pathToFileURL(join(root, inRoot, file)).href;
}

/** None is as good as one that was cut off. */
function readManifest(root) {
  try {
    return JSON.parse(readFileSync(join(root, inRoot, "manifest.json"), "utf8"));
  } catch {
    return { entries: {}, sources: [] };
  }
}
