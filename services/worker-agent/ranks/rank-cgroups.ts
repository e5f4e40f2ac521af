import { readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const NEEDED = ["memory", "pids"];

/**
 * Readies a cgroup (v2) that was delegated to the agent, so that each rank gets one in it: see cgroups(7). Throws, saying
 * what is missing, when its children could not limit memory and processes. What ranks of an agent that was killed left is
 * removed; those that still run keep theirs.
 */
export async function openRankCgroups(path: string): Promise<void> {
  const has = await controllersOf(path);
  const missing = NEEDED.filter((controller) => !has.includes(controller));
  if (missing.length > 0) {
    throw new Error(
      `TRAINYARD_CGROUP ${path}: expected a cgroup (v2) that was given the controllers ${NEEDED.join(" and ")}; it lacks ${missing.join(" and ")}. Under systemd: Delegate=memory pids, and DelegateSubgroup=agent, so that the agent itself is not in it. Leave the variable out to do with rlimits.`,
    );
  }
  await writeFile(join(path, "cgroup.subtree_control"), NEEDED.map((name) => `+${name}`).join(" "));
  const found = await readdir(path, { withFileTypes: true });
  const old = found.filter((entry) => entry.isDirectory() && /-rank-\d+$/.test(entry.name));
  // The kernel refuses while a process is in it.
  await Promise.allSettled(old.map(({ name }) => rmdir(join(path, name))));
}

async function controllersOf(path: string): Promise<readonly string[]> {
  try {
    return (await readFile(join(path, "cgroup.controllers"), "utf8")).trim().split(/\s+/);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`TRAINYARD_CGROUP ${path}: expected the folder of a cgroup (v2): ${why}`, {
      cause: error,
    });
  }
}
