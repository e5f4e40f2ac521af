import { readFile, statfs } from "node:fs/promises";
import { cpus, freemem } from "node:os";

/** What the whole machine uses. */
export interface MachineUsage {
  /** Of all cores together, since the last call: 0 to 100. */
  readonly cpuPercent: number;
  readonly memoryAvailableBytes: number;
  /** Free on the disk of the agent's directory. */
  readonly diskFreeBytes: number;
}

/** Reads what the machine uses; each call tells of the time since the one before. */
export function machineUsage(dir: string): () => Promise<MachineUsage> {
  let before = times();
  return async () => {
    const now = times();
    const total = now.total - before.total;
    const cpuPercent = total <= 0 ? 0 : (100 * (total - (now.idle - before.idle))) / total;
    before = now;
    const { bavail, bsize } = await statfs(dir);
    return { cpuPercent, memoryAvailableBytes: await availableBytes(), diskFreeBytes: bavail * bsize };
  };
}

function times() {
  const all = cpus().map((cpu) => cpu.times);
  const idle = all.reduce((sum, one) => sum + one.idle, 0);
  const total = all.reduce((sum, one) => sum + one.idle + one.user + one.nice + one.sys + one.irq, 0);
  return { idle, total };
}

/** What can be had without swapping, caches included; `freemem` leaves them out. */
async function availableBytes(): Promise<number> {
  const text = await readFile("/proc/meminfo", "utf8").catch(() => "");
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? freemem() : Number(kibibytes) * 1024;
}
