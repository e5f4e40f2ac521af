import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { writeDurably } from "../ranks/durable-file.ts";

const RECORD = "trainyard/environment.json";
const SCHEMA = 1;

/** What an environment was when it was built. */
interface EnvironmentRecord {
  readonly schema: typeof SCHEMA;
  /** Size of each file, by its path in the environment; what Python writes later (`__pycache__`) is not in it. */
  readonly files: Readonly<Record<string, number>>;
}

/** Writes down what a built environment consists of. */
export async function recordEnvironment(dir: string): Promise<void> {
  const record: EnvironmentRecord = { schema: SCHEMA, files: await sizesIn(dir) };
  await writeDurably(join(dir, RECORD), JSON.stringify(record));
}

/** Whether every file of the environment is there with the size it was built with. */
export async function isWhole(dir: string): Promise<boolean> {
  try {
    // Written by recordEnvironment only; spoilt, it fails to be read, or names what is not there.
    const record = JSON.parse(await readFile(join(dir, RECORD), "utf8")) as EnvironmentRecord;
    if (record.schema !== SCHEMA) return false;
    const now = await sizesIn(dir);
    return Object.entries(record.files).every(([path, sizeBytes]) => now[path] === sizeBytes);
  } catch {
    return false;
  }
}

async function sizesIn(dir: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "__pycache__") await walk(path);
      } else {
        // Followed: an interpreter that was uninstalled leaves links that lead nowhere.
        const name = relative(dir, path);
        const found = await stat(path);
        if (name !== RECORD && found.isFile()) sizes[name] = found.size;
      }
    }
  };
  await walk(dir);
  return sizes;
}
