import { baseConfigShape, parseConfig } from "@trainyard/service";
import { z } from "zod";

const schema = z.object({ ...baseConfigShape });

/** What tracking is told by its environment. */
export type TrackingConfig = z.infer<typeof schema>;

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseTrackingConfig(env: Readonly<Record<string, string | undefined>>): TrackingConfig {
  return parseConfig(schema, env);
}
