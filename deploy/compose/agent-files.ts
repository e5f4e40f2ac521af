import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Platform } from "@trainyard/local";

/**
 * Gives an agent a folder of its own with all it may know: its key, its bus seed, everyone's public keys, and `agent.env` with
 * its settings. It never mounts the state folder: users' code runs beside it and must not find the services' keys there.
 */
export function writeAgentFiles(platform: Platform, nodeId: string, dir: string): void {
  const env = platform.serviceEnv("worker-agent", { nodeId });
  const work = join(dir, "work");
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const copied = ["TRAINYARD_KEY_FILE", "TRAINYARD_JWKS_FILE", "TRAINYARD_NATS_SEED_FILE"].map((name) => {
    const source = env[name] ?? "";
    const target = join(dir, basename(source));
    copyFileSync(source, target);
    return [name, target];
  });
  const own = { ...env, ...Object.fromEntries(copied), TRAINYARD_AGENT_DIR: work };
  const lines = Object.entries(own).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(dir, "agent.env"), lines.join(""), { mode: 0o600 });
}
