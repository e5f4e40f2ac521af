import { join } from "node:path";
import { defaultPorts, type PortName, type Ports } from "@trainyard/local";
import { exitCodes } from "../exit-codes.ts";
import { errorStyle, style } from "../terminal/style.ts";
import { openLogFile } from "./log-file.ts";
import { createNotices } from "./notices.ts";
import { readyMessage } from "./ready-message.ts";
import { type RunningPlatform, type StartOptions, startPlatform } from "./start-platform.ts";
import { stopSignal } from "./wait-for-signal.ts";

/** The options of `trainyard up` as parsed. */
export interface UpOptions {
  readonly data: string;
  readonly listen: string;
  readonly blobs?: string;
  readonly portBase?: number;
  readonly ports: "default" | "free";
  readonly slots?: number;
  readonly agent: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Runs the platform until Ctrl-C (or SIGTERM), then stops it in order. Gives the exit code. */
export async function up(options: UpOptions): Promise<number> {
  const begun = performance.now();
  const stopping = stopSignal(() => process.exit(exitCodes.interrupted));
  if (!options.json) process.stdout.write(style.dim("Starting Trainyard…\n"));
  const running = await startPlatform(startOptions(options));
  // Ctrl-C while it started: nothing is announced, what has started is stopped below.
  const early = await Promise.race([stopping, Promise.resolve(undefined)]);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (early === undefined) process.stdout.write(`${ready(running, seconds, options)}\n`);
  const crash = firstCrash();
  const end = await Promise.race([stopping, crash]);
  if (end instanceof Error) {
    process.stderr.write(
      `${errorStyle.bad("error")} the platform met an internal error and stops: ${end.message}; see ${running.logFile}\n`,
    );
  } else if (!options.json)
    process.stdout.write(`\n${style.dim("Stopping… (Ctrl-C again to stop at once)\n")}`);
  const problems = await running.stop();
  for (const problem of problems)
    process.stderr.write(`${errorStyle.warn("did not stop cleanly")} ${problem}\n`);
  if (!options.json && problems.length === 0) process.stdout.write(style.dim("Stopped.\n"));
  return end instanceof Error || problems.length > 0 ? exitCodes.failed : exitCodes.ok;
}

function ready(running: RunningPlatform, seconds: string, options: UpOptions): string {
  return options.json
    ? JSON.stringify(summary(running, Number(seconds)))
    : readyMessage(running, seconds, options.listen);
}

function startOptions(options: UpOptions): StartOptions {
  return {
    dataDir: options.data,
    ports: options.portBase === undefined ? options.ports : portsFrom(options.portBase),
    listenHost: options.listen,
    agent: options.agent,
    openLog: (path) => openLogFile(path, createNotices(options.verbose)),
    logLevel: options.verbose ? "debug" : "info",
    ...(options.slots === undefined ? {} : { slots: options.slots }),
    ...(options.blobs === undefined ? {} : { blobUrl: options.blobs }),
  };
}

/** Consecutive ports, the gateway first. */
function portsFrom(base: number): Ports {
  const names = Object.keys(defaultPorts) as PortName[];
  // Every PortName is put in.
  return Object.fromEntries(names.map((name, index) => [name, base + index])) as Record<PortName, number>;
}

/** An error that nothing caught: the platform cannot vouch for itself any more. */
function firstCrash(): Promise<Error> {
  return new Promise((resolve) => {
    const onError = (error: unknown) => resolve(error instanceof Error ? error : new Error(String(error)));
    process.on("uncaughtException", onError);
    process.on("unhandledRejection", onError);
  });
}

function summary(running: RunningPlatform, readySeconds: number): Record<string, unknown> {
  const { platform, agent } = running;
  return {
    url: platform.url("gateway"),
    pid: process.pid,
    readySeconds,
    dataDir: platform.dir,
    platformFile: join(platform.dir, "platform.json"),
    tokensFile: running.tokensFile,
    logFile: running.logFile,
    natsUrl: platform.natsUrl,
    ports: platform.ports,
    node: agent ?? null,
  };
}
