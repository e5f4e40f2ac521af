import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { DomainError } from "@trainyard/domain";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build, parseAgentConfig } from "@trainyard/worker-agent";
import { exitCodes } from "../exit-codes.ts";
import { stopSignal } from "../up/wait-for-signal.ts";

/** Where `agent join` writes the agent's settings: variables, one a line. */
export function settingsFile(dir: string): string {
  return join(dir, "agent.env");
}

/** Runs the agent of a folder that has joined, until a signal. What the environment says wins over the folder's settings. */
export async function runAgent(folder: string): Promise<number> {
  const file = settingsFile(resolve(folder));
  if (!existsSync(file)) {
    const message = `${file} is not there: this machine has not joined a platform with that folder (trainyard agent join URL).`;
    throw new DomainError("not_found", "AGENT_NOT_JOINED", message);
  }
  const stopping = stopSignal(() => process.exit(exitCodes.interrupted));
  // Into the environment itself: credentials of S3 are looked for there. What it says already is kept.
  process.loadEnvFile(file);
  const { env } = process;
  const config = parseAgentConfig(env);
  const telemetry = await startTelemetry({ service: "worker-agent" });
  const logger = createLogger({ service: "worker-agent", level: config.logLevel });
  const app = await build(config, { logger, env });
  await app.start();
  await stopping;
  await app.stop();
  await telemetry.shutdown();
  return exitCodes.ok;
}
