import { parseConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { configSchema } from "./config.ts";

await runMain("scheduler", async () => {
  const config = parseConfig(configSchema, process.env);
  startTelemetry({ service: "scheduler" });
  const logger = createLogger({ service: "scheduler", level: config.logLevel });
  return build(config, { logger });
});
