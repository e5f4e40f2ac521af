// Plain JavaScript: set-up asks, too, before there is a Node that runs TypeScript. Documented in index.d.ts.
import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export const bundleFolder = join(root, ".cache/bundle");

export function bundleOf(entry) {
  const { entries, sources } = readManifest();
  const file = entries[entry];
  if (file === undefined || !sources.every(isUnchanged)) return undefined;
  return pathToFileURL(join(bundleFolder, file)).href;
}

function readManifest() {
  try {
    return JSON.parse(readFileSync(join(bundleFolder, "manifest.json"), "utf8"));
  } catch {
    return { entries: {}, sources: [] };
  }
}

function isUnchanged([path, mtimeMs, size]) {
  const now = statSync(join(root, path), { throwIfNoEntry: false });
  return now !== undefined && now.mtimeMs === mtimeMs && now.size === size;
}
