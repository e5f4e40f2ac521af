import { logLevels } from "@trainyard/telemetry";
import { z } from "zod";

/** A whole number in an environment variable, with its bounds. */
export function intVar(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d+$/, `expected a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

/** A URL in an environment variable with one of these schemes. */
export function urlVar(...schemes: readonly string[]) {
  const expected = `expected a URL such as ${schemes[0]}://…`;
  return z.string().refine((text) => schemes.includes(schemeOf(text) ?? ""), expected);
}

/** "true" or "false" in an environment variable. */
export function boolVar() {
  return z.enum(["true", "false"], 'expected "true" or "false"').transform((text) => text === "true");
}

/** Largest blob that may be uploaded, in bytes: the gateway's and tracking's word for the same. */
export const blobMaxBytes = intVar(1, Number.MAX_SAFE_INTEGER).default(16 * 1024 ** 3);

/**
 * The settings that services have in common, to be picked from: `z.object({ natsUrl: baseConfigShape.natsUrl })` or all
 * by `...baseConfigShape`. Each is read from its own variable, `TRAINYARD_` and the name in upper snake case.
 */
export const baseConfigShape = {
  natsUrl: urlVar("nats", "tls"),
  /** File with the service's nkey seed; absent where the bus needs no credentials. */
  natsSeedFile: z.string().optional(),
  /** Holds a password. */
  mongodbUri: urlVar("mongodb", "mongodb+srv"),
  mongodbDatabase: z.string().regex(/^[A-Za-z0-9_-]{1,60}$/, "expected a database name"),
  blobUrl: urlVar("file", "s3"),
  /** Loopback unless told: listening wider is a decision. */
  listenHost: z.string().default("127.0.0.1"),
  /** 0 lets the system choose. */
  listenPort: intVar(0, 65_535).default(0),
  /** File with the service's own signing key, a private Ed25519 JWK. */
  keyFile: z.string(),
  /** File with everyone's public keys, a JWK set. */
  jwksFile: z.string(),
  logLevel: z.enum(logLevels, `expected one of ${logLevels.join(", ")}`).default("info"),
} as const;

function schemeOf(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : /^([a-z0-9+]+):\/\/./.exec(text)?.[1];
}
