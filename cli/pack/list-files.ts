import { existsSync, readFileSync } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import { DomainError } from "@trainyard/domain";
import ignore, { type Ignore } from "ignore";

/** Never part of a bundle: not the code, or made anew by running it. */
const alwaysIgnored = [".git", ".trainyard", "__pycache__", ".ipynb_checkpoints", ".DS_Store"];

/** Rules of one .gitignore, for paths below its folder. */
interface Rules {
  readonly dir: string;
  readonly rules: Ignore;
}

/** One file or link of a bundle. */
export interface BundleFile {
  /** Relative to the code folder, with "/". */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Lists what travels with a job: every file below `root` that no .gitignore (of the folder, its subfolders, or the
 * repository around it) leaves out, in an order that depends on the names only. Throws CODE_LINK_OUTSIDE for a link that
 * leaves the folder, CODE_FILE_SPECIAL for a pipe or device.
 */
export async function listFiles(root: string): Promise<BundleFile[]> {
  const found: BundleFile[] = [];
  await walk(root, "", rulesAround(root), found);
  // By code unit and not by locale, so that every machine packs alike.
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function walk(
  root: string,
  folder: string,
  around: readonly Rules[],
  found: BundleFile[],
): Promise<void> {
  const dir = join(root, folder);
  const rules = [...around, ...rulesIn(dir)];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = posix.join(folder, entry.name);
    if (alwaysIgnored.includes(entry.name)) continue;
    if (isIgnored(join(root, path), entry.isDirectory(), rules)) continue;
    if (entry.isDirectory()) await walk(root, path, rules, found);
    else {
      if (entry.isSymbolicLink()) await assertInside(root, path);
      else if (!entry.isFile()) throw special(path);
      found.push({ path, sizeBytes: (await lstat(join(root, path))).size });
    }
  }
}

/** The last rule that says something wins; a deeper file's rules come later. */
function isIgnored(path: string, isFolder: boolean, all: readonly Rules[]): boolean {
  let ignored = false;
  for (const { dir, rules } of all) {
    const result = rules.test(`${relative(dir, path)}${isFolder ? "/" : ""}`);
    if (result.ignored) ignored = true;
    else if (result.unignored) ignored = false;
  }
  return ignored;
}

/** The rules of the folders above, up to the repository's root; none outside a repository. */
function rulesAround(root: string): Rules[] {
  const above: string[] = [];
  for (let dir = root; ; dir = dirname(dir)) {
    if (existsSync(join(dir, ".git"))) return above.reverse().flatMap(rulesIn);
    if (dirname(dir) === dir) return [];
    above.push(dirname(dir));
  }
}

function rulesIn(dir: string): Rules[] {
  const file = join(dir, ".gitignore");
  return existsSync(file) ? [{ dir, rules: ignore().add(readFileSync(file, "utf8")) }] : [];
}

async function assertInside(root: string, path: string): Promise<void> {
  const target = await readlink(join(root, path));
  const resolved = posix.normalize(posix.join(posix.dirname(path), target));
  if (!target.startsWith("/") && resolved !== ".." && !resolved.startsWith("../")) return;
  throw new DomainError(
    "invalid_argument",
    "CODE_LINK_OUTSIDE",
    `${join(root, path)} is a link to ${target}, outside the code folder, where the ranks could not follow it: copy the file, or name the link in .gitignore`,
  );
}

function special(path: string): DomainError {
  return new DomainError(
    "invalid_argument",
    "CODE_FILE_SPECIAL",
    `${path} is neither a file nor a folder nor a link: remove it from the code folder, or name it in .gitignore`,
  );
}
