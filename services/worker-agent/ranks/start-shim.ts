import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { crashPoint } from "@trainyard/failpoint";
import type { ShimStart } from "../domain/launcher-rules.ts";
import { SHIM_MODULE } from "./processes.ts";
import type { Spool } from "./spool.ts";

/** What a shim is started with. */
export interface ShimCommand {
  /** The interpreter. */
  readonly python: string;
  /** Its whole environment; the agent's own does not reach it, for that names credentials. */
  readonly env: Readonly<Record<string, string>>;
}

/** How the ranks of an attempt are to start. */
export interface StartWish {
  readonly start: "warm" | "cold";
  /** The interpreter of its ranks. */
  readonly python: string;
}

/** Who may be able to start a shim faster: the launcher. */
export interface WarmStarter {
  /** Never rejects; "cold" says that nothing was started. */
  startShim(attemptDir: string, python: string): Promise<ShimStart>;
}

/**
 * Starts the shim of an attempt, which outlives the agent: forked from the launcher when that can be, else as a program of
 * its own; says which. Starting a second one does no harm: the shim takes a lock on the directory and the second one
 * leaves. Rejects when the interpreter cannot be run.
 */
export async function startShim(
  spool: Spool,
  command: ShimCommand,
  launcher: WarmStarter,
  wish: StartWish,
): Promise<ShimStart> {
  const answer: ShimStart =
    wish.start === "cold"
      ? { start: "cold", reason: "the job asks for a cold start" }
      : await launcher.startShim(spool.dir, wish.python);
  if (answer.start === "cold") await startCold(spool, command);
  crashPoint("agent.start.spawned");
  return answer;
}

/** Resolves when the shim's process is there. */
async function startCold(spool: Spool, command: ShimCommand): Promise<void> {
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
}
