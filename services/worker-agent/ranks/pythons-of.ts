import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Spool } from "./spool.ts";

/** The interpreters that the attempts in a folder run under. */
export async function pythonsOf(attemptsDir: string): Promise<ReadonlySet<string>> {
  const names = await readdir(attemptsDir);
  const pythons = await Promise.all(names.map((name) => new Spool(join(attemptsDir, name)).rankPython()));
  return new Set(pythons.filter((python) => python !== undefined));
}
