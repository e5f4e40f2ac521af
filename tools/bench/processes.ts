import { readdirSync, readFileSync } from "node:fs";

/** A process and all that it started, by /proc. */
export function descendants(root: number): readonly number[] {
  const parents = parentOfEach();
  const found = [root];
  for (const pid of found) found.push(...startedBy(parents, pid));
  return found;
}

/** The processes that this one has started itself. */
export function children(pid: number): readonly number[] {
  return startedBy(parentOfEach(), pid);
}

function startedBy(parents: ReadonlyMap<number, number>, pid: number): readonly number[] {
  return [...parents].filter(([, parent]) => parent === pid).map(([child]) => child);
}

function parentOfEach(): ReadonlyMap<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  return parents;
}

/** Memory that the processes would free by ending: their proportional set size, in bytes. */
export function pssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
      return sum + Number(kib ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}
