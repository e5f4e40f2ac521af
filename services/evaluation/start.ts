/** What `main.ts` runs, bundled or not. */
import { describeConfig, runMain } from "@trainyard/service";
import { createLogger, startTelemetry } from "@trainyard/telemetry";
import { build } from "./app.ts";
import { parseEvaluationConfig } from "./config.ts";

await runMain("evaluation", async () => {
  const config = parseEvaluationConfig(process.env);
  await startTelemetry({ service: "evaluation" });
  const logger = createLogger({ service: "evaluation", level: config.logLevel });
  logger.info({ config: describeConfig(config) }, "starting");
  return build(config, { logger });
});
