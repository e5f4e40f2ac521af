import { readdir, readFile } from "node:fs/promises";
import type { SessionCounters } from "../domain/rank-usage.ts";

/** The kernel tells processor time in hundredths of a second to every program (USER_HZ), whatever its own clock is. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

interface Sum {
  cpuMs: number;
  memoryBytes: number;
  readBytes: number;
  writtenBytes: number;
  processes: number;
}

/**
 * What each of these sessions has used, by one look through /proc; a session without a live process is missing. Read
 * asynchronously, process by process: a node with thousands of them must not hold up the agent.
 */
export async function sessionCounters(sessions: ReadonlySet<number>): Promise<Map<number, SessionCounters>> {
  const sums = new Map<number, Sum>();
  const atMs = performance.now();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readIfThere(`/proc/${name}/stat`);
    // The command name stands in brackets and may hold spaces and brackets: fields are counted from the last one.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    const session = Number(fields?.[3]);
    if (fields === undefined || !sessions.has(session) || fields[0] === "Z") continue;
    const io = ioFrom(await readIfThere(`/proc/${name}/io`));
    const sum = sums.get(session) ?? {
      cpuMs: 0,
      memoryBytes: 0,
      readBytes: 0,
      writtenBytes: 0,
      processes: 0,
    };
    sums.set(session, {
      cpuMs: sum.cpuMs + (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      memoryBytes: sum.memoryBytes + Number(fields[21]) * PAGE_BYTES,
      readBytes: sum.readBytes + io.readBytes,
      writtenBytes: sum.writtenBytes + io.writtenBytes,
      processes: sum.processes + 1,
    });
  }
  return new Map([...sums].map(([session, sum]) => [session, { ...sum, atMs }]));
}

/** Not readable for another user's process, and not there without the kernel's task accounting. */
function ioFrom(text: string | undefined): { readonly readBytes: number; readonly writtenBytes: number } {
  const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text ?? "")?.[1] ?? 0);
  return { readBytes: of("read_bytes"), writtenBytes: of("write_bytes") };
}

/** Processes come and go between listing and reading. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
