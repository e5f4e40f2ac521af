import { baseConfigShape, parseConfig, urlVar } from "@trainyard/service";
import { z } from "zod";

const schema = z.object({
  ...baseConfigShape,
  schedulerUrl: urlVar("http", "https"),
  datasetUrl: urlVar("http", "https"),
  registryUrl: urlVar("http", "https"),
});

/** What the evaluation service is told by its environment. */
export type EvaluationConfig = z.infer<typeof schema>;

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseEvaluationConfig(env: Readonly<Record<string, string | undefined>>): EvaluationConfig {
  return parseConfig(schema, env);
}
