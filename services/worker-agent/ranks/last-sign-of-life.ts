import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/**
 * When a rank last wrote anything to its directory, in milliseconds since 1970; undefined when it never did. Nobody saw the
 * end of a rank that went down with its shim. It ended after this, and before the survivors elsewhere missed it: dated to
 * when somebody looked, the survivors' errors would come first and be blamed.
 */
export async function lastSignOfLife(rankDir: string): Promise<number | undefined> {
  const names = await readdir(rankDir).catch(() => []);
  const times = await Promise.all(
    names.map(async (name) => (await stat(join(rankDir, name)).catch(() => undefined))?.mtimeMs),
  );
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
