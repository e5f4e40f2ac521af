import { baseConfigShape, parseConfig, urlVar } from "@trainyard/service";
import { z } from "zod";

const schema = z.object({
  ...baseConfigShape,
  trackingUrl: urlVar("http", "https"),
});

/** What the registry is told by its environment. */
export type RegistryConfig = z.infer<typeof schema>;

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseRegistryConfig(env: Readonly<Record<string, string | undefined>>): RegistryConfig {
  return parseConfig(schema, env);
}
