import { baseConfigShape, blobMaxBytes, parseConfig, urlVar } from "@trainyard/service";
import { z } from "zod";

const schema = z.object({
  ...baseConfigShape,
  schedulerUrl: urlVar("http", "https"),
  trackingUrl: urlVar("http", "https"),
  datasetUrl: urlVar("http", "https"),
  evaluationUrl: urlVar("http", "https"),
  registryUrl: urlVar("http", "https"),
  /** Where the first tokens are written when there are none yet; absent: none are made. */
  bootstrapFile: z.string().optional(),
  /** Whom the first submitter's token speaks for. */
  bootstrapUser: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, "expected a name")
    .optional(),
  blobMaxBytes,
});

/** What the gateway is told by its environment. */
export type GatewayConfig = z.infer<typeof schema> & { readonly bootstrapUser: string };

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseGatewayConfig(env: Readonly<Record<string, string | undefined>>): GatewayConfig {
  const config = parseConfig(schema, env);
  return { ...config, bootstrapUser: config.bootstrapUser ?? loginName(env.USER) };
}

/** The login name, as far as it can name a principal. */
function loginName(user: string | undefined): string {
  const name = (user ?? "")
    .replaceAll(/[^A-Za-z0-9._-]/g, "_")
    .replace(/^[.-]+/, "")
    .slice(0, 128);
  return name === "" ? "you" : name;
}
