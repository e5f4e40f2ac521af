import { access, constants, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";
import { StartError } from "./start-error.ts";

/**
 * Checks that this node lets ranks read these host paths, and that they can be read. A path is judged by what it is after all
 * symbolic links, so that none leads out of the allowed folders. The ranks read as the agent's user: what this keeps is a
 * promise to whoever runs the node about what jobs are *given*, not a wall around what its programs can open.
 */
export async function checkDataPaths(roots: readonly string[], paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  if (roots.length === 0) {
    refuse(
      `the job reads ${paths.join(", ")}, and this node allows no host paths. Name the folders that jobs may read in TRAINYARD_DATA_ROOTS of its agent (or of trainyard up), or register the data as a dataset`,
    );
  }
  const allowed = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));
  for (const path of paths) {
    const real = await realpath(path).catch((error: unknown) =>
      refuse(`the data path ${path} is not there (${codeOf(error)})`),
    );
    if (!allowed.some((root) => real === root || real.startsWith(root === sep ? sep : `${root}${sep}`)))
      refuse(
        `the data path ${path}${real === path ? "" : `, which is ${real},`} is in none of the folders that this node allows: ${roots.join(", ")}`,
      );
    const isFolder = (await stat(real)).isDirectory();
    const wanted = isFolder ? constants.R_OK | constants.X_OK : constants.R_OK;
    await access(real, wanted).catch((error: unknown) =>
      refuse(`the data path ${path} cannot be read (${codeOf(error)})`),
    );
  }
}

function refuse(why: string): never {
  throw new StartError("DATA_FETCH_FAILED", `${why.charAt(0).toUpperCase()}${why.slice(1)}.`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
