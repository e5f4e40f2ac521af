import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A shim, a rank, or something that a rank started. */
export interface RankProcess {
  readonly pid: number;
  /** The attempt's directory name: "<job>-<attempt>". */
  readonly attempt: string;
  readonly command: string;
}

/**
 * What is alive of attempts in these agents' folders: processes that work in an attempt's directory, or name one. Their
 * command lines alone do not tell, for what the warm launcher forks has the launcher's; a directory that was deleted
 * meanwhile still names itself.
 */
export function rankProcesses(agentDirs: readonly string[]): readonly RankProcess[] {
  const roots = agentDirs.map((dir) => `${dir}/attempts/`);
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || isZombie(name)) return [];
    const command = textOf(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim();
    const place = `${folderOf(name)}\n${command}`;
    const root = roots.find((one) => place.includes(one));
    if (root === undefined) return [];
    const attempt = /^[^/\s]+/.exec(place.slice(place.indexOf(root) + root.length))?.[0] ?? "";
    return [{ pid: Number(name), attempt, command }];
  });
}

function isZombie(pid: string): boolean {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === "" || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
}

function folderOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ""; // It has ended meanwhile.
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
