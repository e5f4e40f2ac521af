import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as breathe } from "node:timers/promises";
import type { SessionCounters } from "../domain/rank-usage.ts";

/** The kernel tells processor time in hundredths of a second to every program (USER_HZ), whatever its own clock is. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;
/** Processes that are read in one go; a node with thousands of them must not hold up the agent. */
const READ_AT_ONCE = 100;
/** After so many looks every process is read again: a pid may have got another owner, and a process another session. */
const LOOKS_TO_READ_ALL = 30;

interface Sum {
  cpuMs: number;
  memoryBytes: number;
  readBytes: number;
  writtenBytes: number;
  processes: number;
}

/**
 * Sums up what sessions use, by looks through /proc. A look lists all processes, but reads only those that are of the sessions,
 * or were not there at the look before: this is done each second, on cores that the ranks would use.
 */
export class SessionWatch {
  /** Processes of no watched session. */
  #others = new Set<string>();
  #watched = "";
  #looks = 0;

  /** What each of these sessions has used; one without a live process is missing. */
  async look(sessions: ReadonlySet<number>): Promise<Map<number, SessionCounters>> {
    const watched = [...sessions].join();
    this.#looks += 1;
    if (watched !== this.#watched || this.#looks % LOOKS_TO_READ_ALL === 0) this.#others.clear();
    this.#watched = watched;
    const sums = new Map<number, Sum>();
    const others = new Set<string>();
    const atMs = performance.now();
    let read = 0;
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      if (this.#others.has(name)) {
        others.add(name);
        continue;
      }
      if (!addTo(sums, name, sessions)) others.add(name);
      read += 1;
      if (read % READ_AT_ONCE === 0) await breathe();
    }
    this.#others = others;
    return new Map([...sums].map(([session, sum]) => [session, { ...sum, atMs }]));
  }
}

/** Adds what a process uses to its session's sum; says whether it is of a watched session. */
function addTo(sums: Map<number, Sum>, pid: string, sessions: ReadonlySet<number>): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The command name stands in brackets and may hold spaces and brackets: fields are counted from the last one.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const session = Number(fields?.[3]);
  if (fields === undefined || !sessions.has(session)) return false;
  if (fields[0] === "Z") return true;
  const io = ioFrom(readIfThere(`/proc/${pid}/io`));
  const sum = sums.get(session);
  sums.set(session, {
    cpuMs: (sum?.cpuMs ?? 0) + (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    memoryBytes: (sum?.memoryBytes ?? 0) + Number(fields[21]) * PAGE_BYTES,
    readBytes: (sum?.readBytes ?? 0) + io.readBytes,
    writtenBytes: (sum?.writtenBytes ?? 0) + io.writtenBytes,
    processes: (sum?.processes ?? 0) + 1,
  });
  return true;
}

/** Not readable for another user's process, and not there without the kernel's task accounting. */
function ioFrom(text: string | undefined): { readonly readBytes: number; readonly writtenBytes: number } {
  const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text ?? "")?.[1] ?? 0);
  return { readBytes: of("read_bytes"), writtenBytes: of("write_bytes") };
}

/** Processes come and go between listing and reading. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
