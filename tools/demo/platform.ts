import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkoutRoot, preparePlatform } from "@trainyard/local";
import { waitFor } from "@trainyard/testing";
import { readPlatformFile } from "../../cli/up/platform-file.ts";
import type { Screen } from "./screen.ts";

/** A running platform, as the demo uses it. */
export interface DemoPlatform {
  readonly url: string;
  readonly natsUrl: string;
  readonly tokens: { readonly submitter: string; readonly approver: string };
  readonly subscriberSeed: string;
  /** Folders of the nodes on this machine: where the ranks' process ids are found. */
  readonly agentDirs: readonly string[];
  /** Stops it when the demo started it. */
  stop(): Promise<void>;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** Uses the platform that runs on the folder, or starts one as `npm start` does. */
export async function findOrStartPlatform(dir: string, out: Screen): Promise<DemoPlatform> {
  const running = readPlatformFile(dir);
  if (running !== undefined && (await isReady(running.url))) {
    out.good(`one runs already at ${running.url}`);
    return describe(dir, async () => undefined);
  }
  out.command("trainyard up");
  const from = performance.now();
  const child = spawn(process.execPath, [join(checkoutRoot, "cli/main.ts"), "up", "--data", dir, "--json"], {
    cwd: checkoutRoot,
    stdio: ["ignore", "ignore", "inherit"],
    // A group of its own: Ctrl-C reaches the demo, which then stops it in order.
    detached: true,
  });
  const exited = once(child, "exit");
  const stop = async () => {
    if (child.exitCode === null) child.kill("SIGTERM");
    await exited;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void stop().then(() => process.exit(130));
    });
  }
  const failed = exited.then(([code]) =>
    Promise.reject(new Error(`the platform ended with exit code ${code}`)),
  );
  const ready = waitFor(
    "the platform",
    async () => {
      const now = readPlatformFile(dir);
      return now?.pid === child.pid && (await isReady(now?.url ?? ""));
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  );
  failed.catch(() => undefined);
  await Promise.race([ready, failed]);
  const platform = await describe(dir, stop);
  out.good(
    `ready at ${platform.url} after ${((performance.now() - from) / 1000).toFixed(1)} s, state in ${dir}`,
  );
  return platform;
}

async function describe(dir: string, stop: () => Promise<void>): Promise<DemoPlatform> {
  const file = readPlatformFile(dir);
  if (file === undefined) throw new Error(`no platform runs on ${dir}`);
  const platform = await preparePlatform(dir);
  // Written by the gateway at its first start.
  const tokens = JSON.parse(
    await readFile(join(dir, "secrets/tokens.json"), "utf8"),
  ) as DemoPlatform["tokens"];
  return {
    url: file.url,
    natsUrl: file.natsUrl,
    tokens,
    subscriberSeed: platform.seedFile("subscriber"),
    agentDirs: file.nodes.map(
      (nodeId) => platform.serviceEnv("worker-agent", { nodeId }).TRAINYARD_AGENT_DIR ?? "",
    ),
    stop,
  };
}
