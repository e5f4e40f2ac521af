import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { identifyProcess, isRunning, type ProcessIdentity } from "@trainyard/local";

/** Holds something for this process. */
export interface FileLock {
  release(): void;
}

const tries = 5;

/**
 * Takes a lock for this process: a file that names its holder by pid and start time. One whose holder is dead (SIGKILL,
 * power loss) is taken over. Throws what `inUse` makes of the holder.
 */
export function lockFile(file: string, inUse: (holder: ProcessIdentity | undefined) => Error): FileLock {
  const mine = identifyProcess(process.pid);
  if (mine === undefined) throw new Error("this process cannot be identified");
  const text = JSON.stringify(mine);
  const draft = join(dirname(file), `.${basename(file)}.${process.pid}`);
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    for (let n = 0; n < tries; n += 1) {
      if (linkExclusively(draft, file)) return { release: () => releaseIf(file, text) };
      const holder = readText(file);
      if (holder === undefined) continue;
      if (isHeld(holder)) throw inUse(parse(holder));
      removeStale(file, holder, draft);
    }
    throw inUse(parse(readText(file) ?? ""));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Who holds the lock now; undefined when nobody does. */
export function fileLockHolder(file: string): ProcessIdentity | undefined {
  const text = readText(file);
  return text !== undefined && isHeld(text) ? parse(text) : undefined;
}

/** A hard link appears whole or not at all, and never replaces another's. */
function linkExclusively(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead holder's lock away; puts it back if another process took it over in the meantime. */
function removeStale(file: string, seen: string, draft: string): void {
  const moved = `${draft}.stale`;
  try {
    renameSync(file, moved);
  } catch {
    return;
  }
  if (readText(moved) !== seen) linkExclusively(moved, file);
  rmSync(moved, { force: true });
}

function releaseIf(file: string, text: string): void {
  if (readText(file) === text) rmSync(file, { force: true });
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function isHeld(text: string): boolean {
  const identity = parse(text);
  return identity !== undefined && isRunning(identity);
}

function parse(text: string): ProcessIdentity | undefined {
  try {
    // Written by lockFile only; anything else fails to name a running process.
    return JSON.parse(text) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
