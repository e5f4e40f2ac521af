import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { checkoutRoot, type FirstTokens, firstTokens } from "@trainyard/local";
import { waitFor } from "@trainyard/testing";
import { type PlatformFile, readPlatformFile } from "../cli/up/platform-file.ts";

/** A platform that `trainyard up` runs in a process of its own, as a user's `npm start` does. */
export interface StartedPlatform extends PlatformFile {
  /** From starting the command until the gateway said that it is ready. */
  readonly readyMs: number;
  readonly tokens: FirstTokens;
  /** Stops it in order, as Ctrl-C does. */
  stop(): Promise<void>;
}

/** Whether the gateway at this address can do its work now. */
export async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** Starts `trainyard up` on the folder and waits until it is ready. Rejects when it ends before. */
export async function startUp(
  dir: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<StartedPlatform> {
  const from = performance.now();
  const child = spawn(
    process.execPath,
    [join(checkoutRoot, "cli/main.ts"), "up", "--data", dir, "--json", ...args],
    {
      cwd: checkoutRoot,
      stdio: ["ignore", "ignore", "inherit"],
      // A group of its own: Ctrl-C reaches whoever started it, who then stops it in order.
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: join(checkoutRoot, ".cache/compile"), ...env },
    },
  );
  const exited = once(child, "exit");
  const failed = exited.then(([code]) =>
    Promise.reject(new Error(`trainyard up ended with exit code ${code} before it was ready`)),
  );
  failed.catch(() => undefined);
  const ready = waitFor(
    "the platform",
    async () => {
      const file = readPlatformFile(dir);
      return file?.pid === child.pid && file !== undefined && (await isReady(file.url)) ? file : undefined;
    },
    { timeoutMs: 60_000, intervalMs: 10 },
  );
  const file = await Promise.race([ready, failed]);
  const readyMs = performance.now() - from;
  return {
    ...file,
    readyMs,
    tokens: firstTokens(dir),
    async stop() {
      if (child.exitCode === null) child.kill("SIGTERM");
      await exited;
    },
  };
}
