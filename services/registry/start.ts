/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseRegistryConfig } from "./config.ts";

await runMain("registry", async () => {
  const config = parseRegistryConfig(process.env);
  await startTelemetry({ service: "registry" });
  const logger = createLogger({ service: "registry", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "starting");
  return build(config, { logger });
});
