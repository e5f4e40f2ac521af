import { setTimeout as delay } from "node:timers/promises";
import { children, descendants } from "./processes.ts";

const GRACE_MS = 20_000;
const LOOK_MS = 100;
const INTERRUPTED = 130;

/**
 * Runs a benchmark. Ctrl-C ends what it has started, which is in process groups of its own, and then this process; a
 * second one does not wait. What the benchmark throws when its servers end under it is no failure of it then.
 */
export async function endOnInterrupt<T>(say: (line: string) => void, run: () => Promise<T>): Promise<T> {
  let asked = false;
  const end = async () => {
    const since = performance.now();
    if (!asked) {
      asked = true;
      say("ending what was started");
      // These end in order what they have started; ended beside them, it would be started again.
      signal(children(process.pid), "SIGTERM");
      while (started().length > 0 && performance.now() - since < GRACE_MS) await delay(LOOK_MS);
    }
    signal(started(), "SIGKILL");
    process.exit(INTERRUPTED);
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => void end());
  try {
    return await run();
  } catch (error) {
    if (asked) await new Promise<never>(() => undefined); // `end` ends the process.
    throw error;
  }
}

const started = () => descendants(process.pid).filter((pid) => pid !== process.pid);

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended meanwhile.
    }
  }
}
