import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { crashPoint } from "@trainyard/failpoint";
import { SHIM_MODULE } from "./processes.ts";
import type { Spool } from "./spool.ts";

/** What a shim is started with. */
export interface ShimCommand {
  /** The interpreter. */
  readonly python: string;
  /** Its whole environment; the agent's own does not reach it, for that names credentials. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts the shim of an attempt in a session of its own, so that it outlives the agent, and resolves when its process is
 * there. Starting a second one does no harm: the shim takes a lock on the directory and the second one leaves. Rejects
 * when the interpreter cannot be run.
 */
export async function startShim(spool: Spool, command: ShimCommand): Promise<void> {
  const log = await open(spool.path("shim.log"), "a", 0o600);
  try {
    const shim = spawn(command.python, ["-m", SHIM_MODULE, spool.dir], {
      cwd: spool.dir,
      detached: true,
      env: command.env,
      stdio: ["ignore", log.fd, log.fd],
    });
    // Later errors (a signal that cannot be sent) would otherwise end the agent; how the shim ends is seen in its files.
    shim.on("error", () => undefined);
    await once(shim, "spawn");
    shim.unref();
  } finally {
    await log.close();
  }
  crashPoint("agent.start.spawned");
}
