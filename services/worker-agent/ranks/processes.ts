import { readdirSync, readFileSync } from "node:fs";
import type { ProcessIdentity } from "../domain/exit-record.ts";

/** One process as /proc/<pid>/stat describes it. */
interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly session: number;
  readonly startTicks: number;
}

/** This boot of the machine: pids and start ticks mean nothing across boots. */
export function bootId(): string {
  thisBoot ??= readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim();
  return thisBoot;
}

let thisBoot: string | undefined;

/** Whether exactly that process (not a later one with its pid) runs; a zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  const found = identity.bootId === bootId() ? statOf(identity.pid) : undefined;
  return found !== undefined && found.startTicks === identity.startTicks && found.state !== "Z";
}

/** Sends a signal to exactly that process; says whether it did. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals | number): boolean {
  return isAlive(identity) && sendSignal(identity.pid, signal);
}

/**
 * SIGKILLs everything in the session that a rank began, and says how many processes it found alive.
 *
 * A session outlives its leader, and no new process gets a pid that still names a session: so it is the rank's own when
 * its leader is the recorded process, or gone. When the pid belongs to a later process, the session is over.
 */
export function killSession(leader: ProcessIdentity): number {
  if (leader.bootId !== bootId()) return 0;
  const stat = statOf(leader.pid);
  if (stat !== undefined && stat.startTicks !== leader.startTicks) return 0;
  const members = everyProcess().filter(({ session, state }) => session === leader.pid && state !== "Z");
  return members.filter(({ pid }) => sendSignal(pid, "SIGKILL")).length;
}

/** A shim that runs on this attempt directory, found by its command line: it may not have written `shim.json` yet. */
export function findShimProcess(attemptDir: string): ProcessIdentity | undefined {
  for (const { pid, startTicks, state } of everyProcess()) {
    if (state === "Z") continue;
    const argv = commandLineOf(pid);
    if (argv.at(-1) === attemptDir && argv.at(-2) === SHIM_MODULE)
      return { pid, startTicks, bootId: bootId() };
  }
  return undefined;
}

/** The module that a shim is started as. */
export const SHIM_MODULE = "trainyard.runtime.shim";

function everyProcess(): ProcessStat[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => statOf(Number(pid)) ?? []);
}

function statOf(pid: number): ProcessStat | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  // The command name stands in brackets and may itself hold spaces and brackets: fields are counted from the last one.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined) return undefined;
  return { pid, state: fields[0] ?? "", session: Number(fields[3]), startTicks: Number(fields[19]) };
}

function commandLineOf(pid: number): string[] {
  return (readIfThere(`/proc/${pid}/cmdline`) ?? "").split("\0").slice(0, -1);
}

/** Processes come and go between listing and reading. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
