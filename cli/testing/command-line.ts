import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { atFileEnd, type NetworkNode, waitFor } from "@trainyard/testing";

const bin = join(checkoutRoot, "node_modules/.bin");

/** What a command line ended with. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command line is run. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The machine of a test network on which it runs. */
  readonly on?: NetworkNode | undefined;
}

function start(args: readonly string[], options: RunOptions) {
  const [program = "", ...rest] = [
    ...(options.on?.prefix ?? []),
    join(bin, "node"),
    join(checkoutRoot, "cli/main.ts"),
    ...args,
  ];
  const child = spawn(program, rest, {
    cwd: options.cwd ?? checkoutRoot,
    // A test's own environment: a token or address of whoever runs the tests must not be used.
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      NODE_COMPILE_CACHE: join(checkoutRoot, ".cache/compile"),
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const ended = once(child, "close").then(([code]: unknown[]) => ({
    // Node's documentation: a number, or null after a signal.
    code: code as number | null,
    ...output,
  }));
  return { child, output, ended };
}

/** Runs one command to its end. */
export function trainyard(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return start(args, options).ended;
}

/** A command that runs until it is told to end. */
export interface RunningCommand {
  /** What it has printed so far. */
  readonly output: Readonly<{ stdout: string; stderr: string }>;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): Promise<Ended>;
}

/** Starts a command that goes on until it is told to end, at the latest when the test file does. */
export function startCommand(args: readonly string[], options: RunOptions = {}): RunningCommand {
  const { child, output, ended } = start(args, options);
  const kill = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  atFileEnd(async () => void (await kill("SIGTERM")));
  return { output, ended, kill };
}

/** A platform started by `trainyard up` in a process of its own. */
export interface UpProcess {
  readonly pid: number;
  readonly url: string;
  /** Pids of nats-server and mongod. */
  readonly serverPids: readonly number[];
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): Promise<Ended>;
}

/** Starts `up` on the folder and waits until it is ready; stopped when the test file ends. Ranks start cold, unless told. */
export async function startUp(
  dataDir: string,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<UpProcess> {
  const args = ["up", "--data", dataDir, "--ports", "free", "--json", ...more];
  const { child, output, ended } = start(args, { env: { TRAINYARD_LAUNCHER: "off", ...env } });
  const kill = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  atFileEnd(async () => void (await kill("SIGTERM")));
  const failed = ended.then((end) => Promise.reject(new Error(`up ended early: ${JSON.stringify(end)}`)));
  failed.catch(() => undefined);
  await Promise.race([
    waitFor("up is ready", () => output.stdout.includes("\n"), { timeoutMs: 60_000 }),
    failed,
  ]);
  const ready: unknown = JSON.parse(output.stdout);
  if (typeof ready !== "object" || ready === null || !("url" in ready) || child.pid === undefined)
    throw new Error(`up said ${output.stdout}`);
  const serverPids = ["nats/nats-server", "mongod/mongod"].map((name) =>
    pidIn(join(dataDir, `${name}.pid.json`)),
  );
  return { pid: child.pid, url: String(ready.url), serverPids, ended, kill };
}

function pidIn(file: string): number {
  const identity: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof identity === "object" && identity !== null && "pid" in identity) return Number(identity.pid);
  throw new Error(`${file} names no process`);
}
