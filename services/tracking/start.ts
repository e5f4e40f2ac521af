/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseTrackingConfig } from "./config.ts";

await runMain("tracking", async () => {
  const config = parseTrackingConfig(process.env);
  await startTelemetry({ service: "tracking" });
  const logger = createLogger({ service: "tracking", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "tracking starts");
  return await build(config, { logger });
});
