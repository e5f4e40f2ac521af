import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { parse } from "yaml";

/** A service of the compose file, as far as these tests read it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly restart?: string;
  readonly network_mode?: string;
}

/** The compose file with its anchors merged; `compose-schema.ts` says what it may hold. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** A file of the checkout as text. */
export function sourceOf(path: string): string {
  return readFileSync(join(checkoutRoot, path), "utf8");
}

/** docker-compose.yml, its anchors merged as Compose merges them. */
export function readCompose(): ComposeFile {
  return parse(sourceOf("docker-compose.yml"), { merge: true });
}

/** The service of that name; one that is missing fails the test that asks. */
export function composeService(compose: ComposeFile, name: string): ComposeService {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service "${name}"`);
  return service;
}

/** Sources that read settings by name, beside a service's own `config.ts`. */
const settingReaders = ["libs/service/base-config.ts", "libs/local/find-program.ts", "deploy/state-dir.ts"];

/** True when the service's settings (or the scripts that start it) have one that is read from that variable. */
export function isKnownVariable(variable: string, service: string): boolean {
  // Read by libraries: OpenTelemetry's, and the S3 client's.
  if (/^(OTEL_EXPORTER_OTLP_ENDPOINT|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY)$/.test(variable)) return true;
  const key = variable
    .replace(/^TRAINYARD_/, "")
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const sources = [...settingReaders, `services/${service}/config.ts`].map(sourceOf);
  return sources.some((text) => new RegExp(`\\b(${key}\\b|${variable}\\b)`).test(text));
}
