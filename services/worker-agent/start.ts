/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseAgentConfig } from "./config.ts";

await runMain("worker-agent", async () => {
  const config = parseAgentConfig(process.env);
  await startTelemetry({ service: "worker-agent" });
  const logger = createLogger({ service: "worker-agent", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "starting");
  return build(config, { logger, env: process.env });
});
