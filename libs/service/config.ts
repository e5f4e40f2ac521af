import { redactText } from "@trainyard/telemetry";
import type { z } from "zod";

/** The environment holds what a service cannot start with. `problems` has one line for each, all of them. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** A setting's variable: `natsSeedFile` is TRAINYARD_NATS_SEED_FILE. */
export function envName(key: string): string {
  return `TRAINYARD_${key.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}

/**
 * Reads a service's settings from environment variables (an empty one counts as unset), each named by `envName`. Throws
 * a `ConfigError` with all problems at once. This is the only reader of the environment: what a service needs is what
 * its schema says.
 */
export function parseConfig<S extends z.ZodObject>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): z.infer<S> {
  const values = Object.fromEntries(
    Object.keys(schema.shape).map((key) => [key, env[envName(key)] === "" ? undefined : env[envName(key)]]),
  );
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map((issue) => problemOf(issue, values)));
}

/** The settings as they may be logged: passwords in URLs and values of secret-sounding settings are hidden. */
export function describeConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      isSecretKey(key) && value !== undefined ? "[redacted]" : describe(value),
    ]),
  );
}

function problemOf(issue: z.core.$ZodIssue, values: Readonly<Record<string, string | undefined>>): string {
  const key = String(issue.path[0] ?? "");
  if (key === "") return issue.message;
  const value = values[key];
  if (value === undefined) return `${envName(key)} is not set; it is required`;
  const shown = isSecretKey(key) ? "" : `, got ${JSON.stringify(redactText(value))}`;
  return `${envName(key)}: ${issue.message}${shown}`;
}

function describe(value: unknown): unknown {
  return typeof value === "string" ? redactText(value) : value;
}

/** A file's name is no secret, whatever is in the file. */
function isSecretKey(key: string): boolean {
  return /(token|password|secret|seed|key)$/i.test(key);
}
