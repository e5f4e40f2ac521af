import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { checkoutRoot, type Platform, type ServiceName } from "@trainyard/local";
import { atFileEnd } from "./cleanup.ts";
import type { NetworkNode } from "./test-network.ts";
import { waitFor } from "./wait-for.ts";

/** A service as a process of its own, so that it can be killed. */
export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  /** Resolves when it has ended, with its exit code or the signal. */
  readonly exited: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** What to run, in which environment, and how it is known to be ready. */
export interface SpawnOptions {
  /** Relative to the checkout: "services/scheduler/main.ts". */
  readonly script: string;
  readonly args?: readonly string[];
  /** Beside PATH, HOME and the cache of compiled code nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Answers 2xx once the service works; left out: not waited for. */
  readonly readyUrl?: string;
  /** It is one that is to be killed, which may be before it is ready: then it counts as started. */
  readonly mayDie?: boolean;
  /** What the command line is prefixed with: a node's namespace. */
  readonly prefix?: readonly string[];
}

/** A service takes half a second, and many times that where a dozen of them start at once. */
const READY_MS = 90_000;

async function isReady(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
}

function follow(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

/** Starts a script under the checkout's Node and waits until it is ready; killed when the test file ends. */
export async function spawnScript(name: string, options: SpawnOptions): Promise<ServiceProcess> {
  const bin = join(checkoutRoot, "node_modules/.bin");
  const words = [join(bin, "node"), join(checkoutRoot, options.script), ...(options.args ?? [])];
  const [program = "", ...rest] = [...(options.prefix ?? []), ...words];
  const child = spawn(program, rest, {
    cwd: checkoutRoot,
    env: {
      PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`,
      HOME: process.env.HOME ?? "/",
      // A third of a service's start is compiling what the last one has compiled.
      NODE_COMPILE_CACHE: join(checkoutRoot, ".cache/compile"),
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = follow(child);
  const exited = once(child, "close").then(
    ([code, signal]: unknown[]) => (code ?? signal) as number | NodeJS.Signals,
  );
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  atFileEnd(async () => void (await kill("SIGKILL")));
  const { readyUrl } = options;
  if (readyUrl !== undefined) {
    const ended = exited.then((end) => {
      if (options.mayDie !== true || end !== "SIGKILL") throw new Error(`${name} ended with ${end}`);
    });
    ended.catch(() => undefined);
    const ready = waitFor(`${name} ready at ${readyUrl}`, () => isReady(readyUrl), { timeoutMs: READY_MS });
    ready.catch(() => undefined);
    try {
      await Promise.race([ready, ended]);
    } catch (error) {
      // Nobody gets a handle on it, and left alive it would keep its port from the next start.
      await kill("SIGKILL");
      throw new Error(`${name} did not get ready; it printed:\n${output()}`, { cause: error });
    }
  }
  if (child.pid === undefined) throw new Error(`${name} could not be started: ${options.script}`);
  return { name, pid: child.pid, output, exited, kill };
}

/** Starts a platform's service, with more variables (a crash point, an OTLP endpoint) if given. */
export function spawnService(
  platform: Platform,
  service: ServiceName,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  return spawnScript(service, {
    script: `services/${service}/main.ts`,
    env: { ...platform.serviceEnv(service), ...env },
    readyUrl: `${platform.url(service)}/readyz`,
  });
}

/**
 * Starts a node's agent; the node must have been added to the platform. Without a launcher unless the variables say
 * otherwise: it imports torch for seconds, which most tests have no use for.
 */
export function spawnAgent(
  platform: Platform,
  nodeId: string,
  env: Readonly<Record<string, string>> = {},
  { on, mayDie = false }: { readonly on?: NetworkNode | undefined; readonly mayDie?: boolean } = {},
): Promise<ServiceProcess> {
  const own = platform.serviceEnv("worker-agent", { nodeId });
  const there = on === undefined ? {} : { TRAINYARD_LISTEN_HOST: on.address, TRAINYARD_ADDRESS: on.address };
  return spawnScript(`agent ${nodeId}`, {
    script: "services/worker-agent/main.ts",
    env: { ...own, TRAINYARD_LAUNCHER: "off", ...there, ...env },
    readyUrl: `http://${on?.address ?? "127.0.0.1"}:${own.TRAINYARD_LISTEN_PORT}/readyz`,
    ...(on === undefined ? {} : { prefix: on.prefix }),
    mayDie,
  });
}
