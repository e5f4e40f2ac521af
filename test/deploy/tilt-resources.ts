import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { checkoutRoot, findPython } from "@trainyard/local";

/** A process of the Tiltfile: `cmd` runs once, `serve_cmd` as long as Tilt does. */
export interface TiltResource {
  readonly name: string;
  readonly cmd?: readonly string[];
  readonly serve_cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly serve_env?: Readonly<Record<string, string>>;
  readonly deps?: readonly string[];
  readonly resource_deps?: readonly string[];
  readonly readiness_probe?: {
    readonly http_get: { readonly port: number; readonly path: string } | null;
    readonly tcp_socket: { readonly port: number } | null;
  };
}

/** What the Tiltfile declares; its language is close enough to Python to be evaluated by it. */
export function tiltResources(): readonly TiltResource[] {
  const script = join(checkoutRoot, "test/deploy/evaluate-tiltfile.py");
  const output = execFileSync(findPython(), [script, join(checkoutRoot, "Tiltfile"), checkoutRoot]);
  return JSON.parse(output.toString("utf8"));
}
