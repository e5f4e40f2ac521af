/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseSchedulerConfig } from "./config.ts";

await runMain("scheduler", async () => {
  const config = parseSchedulerConfig(process.env);
  await startTelemetry({ service: "scheduler" });
  const logger = createLogger({ service: "scheduler", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "starting");
  return build(config, { logger });
});
