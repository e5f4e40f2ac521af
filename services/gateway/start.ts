/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseGatewayConfig } from "./config.ts";

await runMain("gateway", async () => {
  const config = parseGatewayConfig(process.env);
  await startTelemetry({ service: "gateway" });
  const logger = createLogger({ service: "gateway", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "starting");
  return build(config, { logger });
});
