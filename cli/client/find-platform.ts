import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DomainError } from "@trainyard/domain";
import { readPlatformFile } from "../up/platform-file.ts";

/** The state folder's usual name. */
export const defaultDataDir = ".trainyard";

const defaultUrl = "http://127.0.0.1:7070";

/** The identities that a platform on this machine has from its first start. */
export const localIdentities = ["admin", "submitter", "approver"] as const;
export type LocalIdentity = (typeof localIdentities)[number];

/** What the global options and the environment say about where the platform is and who calls. */
export interface PlatformOptions {
  readonly url?: string;
  readonly token?: string;
  readonly as?: LocalIdentity;
  readonly data?: string;
}

/** Where calls go, and as whom. */
export interface PlatformAddress {
  readonly url: string;
  /** Absent when none was found: only calls that need one fail, saying so. */
  readonly token?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Finds the platform: --url, TRAINYARD_URL, the running platform of the state folder, else the well-known port. The
 * token: --token, --as, TRAINYARD_TOKEN, else the submitter of the state folder. The folder's tokens are sent to that
 * folder's own platform only, never to an address given from elsewhere.
 */
export function findPlatform(options: PlatformOptions, env: Env, cwd: string): PlatformAddress {
  const dataDir = options.data === undefined ? findDataDir(env, cwd) : resolve(cwd, options.data);
  const local = readPlatformFile(dataDir)?.url;
  const given = options.url ?? set(env.TRAINYARD_URL);
  const url = normalUrl(given ?? local ?? defaultUrl);
  const isLocal = given === undefined || (local !== undefined && normalUrl(local) === url);
  const token =
    options.token ??
    (options.as === undefined ? set(env.TRAINYARD_TOKEN) : undefined) ??
    (isLocal ? localToken(dataDir, options.as ?? "submitter") : undefined);
  if (token === undefined && options.as !== undefined) throw noIdentity(options.as, dataDir, isLocal, url);
  return { url, ...(token === undefined ? {} : { token }) };
}

/** The nearest state folder upward from here, else the checkout's. */
function findDataDir(env: Env, cwd: string): string {
  const named = set(env.TRAINYARD_DATA);
  if (named !== undefined) return resolve(cwd, named);
  for (let at = cwd; ; at = dirname(at)) {
    const candidate = join(at, defaultDataDir);
    if (existsSync(join(candidate, "secrets"))) return candidate;
    if (dirname(at) === at) return resolve(import.meta.dirname, "../..", defaultDataDir);
  }
}

function localToken(dataDir: string, identity: LocalIdentity): string | undefined {
  try {
    const tokens: unknown = JSON.parse(readFileSync(join(dataDir, "secrets/tokens.json"), "utf8"));
    if (typeof tokens !== "object" || tokens === null) return undefined;
    const token: unknown = Object.entries(tokens).find(([name]) => name === identity)?.[1];
    return typeof token === "string" ? token : undefined;
  } catch {
    return undefined;
  }
}

function normalUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new DomainError(
      "invalid_argument",
      "URL_INVALID",
      `"${text}" is no platform's address: expected something like ${defaultUrl} (--url or TRAINYARD_URL)`,
    );
  }
  return new URL(text).href.replace(/\/+$/, "");
}

function noIdentity(as: LocalIdentity, dataDir: string, isLocal: boolean, url: string): DomainError {
  const why = isLocal
    ? `${join(dataDir, "secrets/tokens.json")} holds no token "${as}"`
    : `the tokens of ${dataDir} belong to another platform than ${url}`;
  return new DomainError(
    "unauthenticated",
    "TOKEN_MISSING",
    `--as ${as} cannot be used: ${why}; give a token by TRAINYARD_TOKEN, or the platform's state folder by --data`,
  );
}

function set(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
