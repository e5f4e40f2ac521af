/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseDatasetConfig } from "./config.ts";

await runMain("dataset", async () => {
  const config = parseDatasetConfig(process.env);
  await startTelemetry({ service: "dataset" });
  const logger = createLogger({ service: "dataset", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "starting");
  return build(config, { logger });
});
