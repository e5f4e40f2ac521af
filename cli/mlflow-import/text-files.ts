import { createReadStream } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import { z } from "zod";

/** No file that MLflow writes beside metrics and artifacts is larger. */
const maxTextBytes = 4 * 1024 * 1024;

/** A word in YAML, which takes one of digits for a number. */
export const yamlText = z.union([z.string(), z.number().transform(String)]);

/** The lines of a file; one at its end that is still being written, or was cut short by a crash, is left for another time. */
export async function* wholeLines(file: string): AsyncGenerator<string> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let before: string | undefined;
  for await (const line of lines) {
    if (before !== undefined) yield before;
    before = line;
  }
  if (before !== undefined && (await endsWithNewline(file))) yield before;
}

async function endsWithNewline(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    return bytesRead === 1 && buffer[0] === 0x0a;
  } finally {
    await handle.close();
  }
}

/** A file per entry, its name the key (with "/" as folders), its content the value. */
export async function textsBelow(dir: string): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for (const file of await filesBelow(dir)) found.push([nameOf(dir, file), await textIn(file)]);
  return Object.fromEntries(found);
}

export async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export async function folders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== ".trash")
    .map(({ name }) => name)
    .sort();
}

export function nameOf(dir: string, file: string): string {
  return relative(dir, file).split(sep).join("/");
}

export async function yamlIn(file: string): Promise<unknown> {
  if (!(await exists(file))) return undefined;
  try {
    return parse(await textIn(file), { maxAliasCount: 10 });
  } catch {
    // Half written, or another's: as if it were not there.
    return undefined;
  }
}

async function textIn(file: string): Promise<string> {
  const { size } = await stat(file);
  return size > maxTextBytes ? "" : readFile(file, "utf8");
}

export async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
