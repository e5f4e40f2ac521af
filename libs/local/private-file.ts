import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

/** Makes a folder that only its owner can enter (0700), with its parents. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Writes a file whole or not at all (temporary file, fsync, rename); 0600 unless told otherwise. One that reads so already
 * is left alone, so that a prepared folder can be used by who may only read it.
 */
export function writeFileWhole(path: string, content: string, mode = 0o600): void {
  if (readIfExists(path) === content) return;
  const temporary = join(dirname(path), `.${process.pid}.${performance.now()}.tmp`);
  const file = openSync(temporary, "wx", mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** The file's text, or undefined when there is no such file. */
export function readIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The file's text; made by `make` and kept with mode 0600 the first time. */
export function readOrCreate(path: string, make: () => string): string {
  const existing = readIfExists(path);
  if (existing !== undefined) return existing;
  const content = make();
  makePrivateFolder(dirname(path));
  writeFileWhole(path, content);
  return content;
}
