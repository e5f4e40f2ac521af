import { setTimeout as delay } from "node:timers/promises";
import { children, descendants } from "./processes.ts";

const GRACE_MS = 20_000;
const LOOK_MS = 100;
const INTERRUPTED = 130;

/** Ctrl-C ends what the benchmark has started, which is in process groups of its own, and then the benchmark. A second one does not wait. */
export function endOnInterrupt(say: (line: string) => void): void {
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
