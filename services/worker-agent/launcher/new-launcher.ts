import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { utf8Tail } from "../domain/utf8-tail.ts";
import { readFileIfThere } from "../ranks/durable-file.ts";
import type { ShimCommand } from "../ranks/start-shim.ts";
import { readLauncherRecord } from "./launcher-record.ts";

const MODULE = "trainyard.runtime.launcher";
/** Importing torch takes seconds, and on a busy machine with a cold disk much more. */
const READY_TIMEOUT_MS = 180_000;
const LOOK_INTERVAL_MS = 100;
const LOG_TAIL_BYTES = 2_048;

export interface NewLauncherOptions {
  readonly dir: string;
  readonly command: ShimCommand;
  /** Told again by the launcher when it is pinged. */
  readonly label: string;
  /** Called when it ends, before or after it was ready. */
  readonly onExit: () => void;
}

/** A launcher that is being started, in a session of its own so that it outlives the agent. */
export class NewLauncher {
  /** Resolves when it serves; rejects when it ended before, or takes too long and was killed. */
  readonly ready: Promise<void>;
  #child: ChildProcess | undefined;

  constructor(options: NewLauncherOptions) {
    this.ready = this.#start(options);
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  async #start({ dir, command, label, onExit }: NewLauncherOptions): Promise<void> {
    const file = join(dir, "launcher.log");
    const log = await open(file, "w", 0o600);
    try {
      this.#child = spawn(command.python, ["-m", MODULE, dir, label], {
        cwd: dir,
        detached: true,
        env: command.env,
        stdio: ["ignore", log.fd, log.fd],
      });
      const child = this.#child;
      await once(child, "spawn");
      child.on("error", () => undefined).on("exit", onExit);
      child.unref();
      const until = performance.now() + READY_TIMEOUT_MS;
      while ((await readLauncherRecord(dir))?.pid !== child.pid) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(await lastWords(file));
        if (performance.now() > until) {
          child.kill("SIGKILL");
          throw new Error(`it was not ready within ${READY_TIMEOUT_MS} ms`);
        }
        // Must not keep an agent alive that has stopped.
        await delay(LOOK_INTERVAL_MS, undefined, { ref: false });
      }
    } finally {
      await log.close();
    }
  }
}

async function lastWords(file: string): Promise<string> {
  const log = await readFileIfThere(file, LOG_TAIL_BYTES);
  const words = log === undefined ? "" : utf8Tail(log, LOG_TAIL_BYTES).trim();
  return `it ended before it was ready${words === "" ? "" : `: ${words}`}`;
}
