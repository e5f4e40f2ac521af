import { type FirstTokens, firstTokens, preparePlatform } from "@trainyard/local";
import { readPlatformFile } from "../../cli/up/platform-file.ts";
import { isReady, startUp } from "../start-up.ts";
import type { Screen } from "./screen.ts";

/** A running platform, as the demo uses it. */
export interface DemoPlatform {
  readonly url: string;
  readonly natsUrl: string;
  readonly tokens: FirstTokens;
  readonly subscriberSeed: string;
  /** Folders of the nodes on this machine: where the ranks' process ids are found. */
  readonly agentDirs: readonly string[];
  /** Stops it when the demo started it. */
  stop(): Promise<void>;
}

/** Uses the platform that runs on the folder, or starts one as `npm start` does. */
export async function findOrStartPlatform(dir: string, out: Screen): Promise<DemoPlatform> {
  const running = readPlatformFile(dir);
  if (running !== undefined && (await isReady(running.url))) {
    out.good(`one runs already at ${running.url}`);
    return describe(dir, async () => undefined);
  }
  out.command("trainyard up");
  const started = await startUp(dir);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void started.stop().then(() => process.exit(130));
    });
  }
  out.good(`ready at ${started.url} after ${(started.readyMs / 1000).toFixed(1)} s, state in ${dir}`);
  return describe(dir, started.stop);
}

async function describe(dir: string, stop: () => Promise<void>): Promise<DemoPlatform> {
  const file = readPlatformFile(dir);
  if (file === undefined) throw new Error(`no platform runs on ${dir}`);
  const platform = await preparePlatform(dir);
  return {
    url: file.url,
    natsUrl: file.natsUrl,
    tokens: firstTokens(dir),
    subscriberSeed: platform.seedFile("subscriber"),
    agentDirs: file.nodes.map(
      (nodeId) => platform.serviceEnv("worker-agent", { nodeId }).TRAINYARD_AGENT_DIR ?? "",
    ),
    stop,
  };
}
