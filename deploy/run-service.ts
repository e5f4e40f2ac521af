/**
 * Runs one service, or this machine's agent, on a prepared state folder: `node deploy/run-service.ts scheduler`. What the
 * environment says already (a log level, a listen address) wins over what the folder says.
 */
import { preparePlatform, serviceNames } from "@trainyard/local";
import { stateDir } from "./state-dir.ts";

const runnable: readonly string[] = [...serviceNames, "worker-agent"];
const wanted = process.argv[2];

if (wanted === undefined || !runnable.includes(wanted)) {
  process.stderr.write(
    `usage: node deploy/run-service.ts NAME, where NAME is one of ${runnable.join(", ")}\n`,
  );
  process.exit(2);
}

const platform = await preparePlatform(stateDir());
for (const [name, value] of Object.entries(environmentOf(wanted))) process.env[name] ??= value;
await import(`../services/${wanted}/main.ts`);

function environmentOf(name: string): Record<string, string> {
  const service = serviceNames.find((known) => known === name);
  if (service !== undefined) return platform.serviceEnv(service);
  // A folder that was never prepared has no agent; serviceEnv then says what is missing.
  return platform.serviceEnv("worker-agent", { nodeId: platform.agents[0]?.nodeId ?? "agent-1" });
}
