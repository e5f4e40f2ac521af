import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";

/** A rank named a file that it may not have stored, or that is not there. Trying again would not help. */
export class UnusableFileError extends Error {
  override readonly name = "UnusableFileError";
}

/**
 * Opens a plain file inside a folder for reading, whatever the path says: relative ones begin at the folder. What counts
 * is where the open file really is (asked of the kernel by its descriptor), so neither `..` nor a link, nor one that is
 * swapped in between, leads outside.
 */
export async function openInside(folder: string, path: string): Promise<FileHandle> {
  if (path.includes("\0")) throw new UnusableFileError("its path holds a zero byte");
  const file = await openPlain(resolve(folder, path), path);
  try {
    const real = await readlink(`/proc/self/fd/${file.fd}`);
    if (!real.startsWith(`${await realpath(folder)}${sep}`)) {
      throw new UnusableFileError(`${quote(path)} is outside the attempt's directory`);
    }
    if (!(await file.stat()).isFile()) throw new UnusableFileError(`${quote(path)} is no plain file`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openPlain(absolute: string, path: string): Promise<FileHandle> {
  try {
    // Without waiting: a named pipe would otherwise hold the agent until someone writes into it.
    return await open(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG", "ENXIO"].includes(code)) {
      throw new UnusableFileError(`${quote(path)} cannot be read (${code})`, { cause: error });
    }
    throw error;
  }
}

function quote(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}
