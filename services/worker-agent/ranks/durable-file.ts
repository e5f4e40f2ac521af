import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Most bytes of a JSON file that the shim or a rank leaves for the agent. */
const MAX_JSON_BYTES = 1024 * 1024;

/**
 * Replaces a file atomically and durably: a reader sees the old or the new content, and so does whoever comes after a
 * power loss. Readable by the owner only, since some of these files hold a token.
 */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes the names in a folder durable; a rename alone is not, until the folder itself is synced. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The JSON in a file; undefined when there is no such file, or no sound JSON of a sane size in it. */
export async function readJsonIfThere(path: string): Promise<unknown> {
  const bytes = await readFileIfThere(path, MAX_JSON_BYTES);
  try {
    return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** A file's bytes, from its end when it is longer than `maxBytes`; undefined when there is no such (plain) file. */
export async function readFileIfThere(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  // Asked for many times a second while it is not there, which is not worth a way through the thread pool.
  if (!existsSync(path)) return undefined;
  try {
    const file = await open(path, "r");
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return undefined;
      if (stat.size <= maxBytes) return await readFile(file);
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(maxBytes),
        0,
        maxBytes,
        stat.size - maxBytes,
      );
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** Whether an error of the file system says that the disk (or the user's share of it) is full. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOSPC" || code === "EDQUOT";
}
