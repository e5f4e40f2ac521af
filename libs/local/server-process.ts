import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DomainError } from "@trainyard/domain";
import { findOnPath } from "./checkout.ts";
import { isPortFree } from "./free-port.ts";
import { poll } from "./poll.ts";
import { readIfExists, writeFileWhole } from "./private-file.ts";
import { identifyProcess, isRunning, type ProcessIdentity, signalProcess } from "./process-identity.ts";

/** How a server program is run in a folder of its own. */
export interface ServerProcessSpec {
  /** Names the pid and log files, and the errors: "nats-server". */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly dir: string;
  /** Where it will listen. Somebody else's server there is an error: it would answer `isReady` in its stead. */
  readonly host: string;
  readonly port: number;
  readonly readyTimeoutMs: number;
  /** How long a polite stop (SIGTERM) may take before SIGKILL. */
  readonly stopTimeoutMs: number;
  /** Resolves to true once the server takes work; asked again and again until then. */
  readonly isReady: () => Promise<boolean>;
  /** The kernel ends the server when this process dies, however it dies (Linux with util-linux; elsewhere no effect). */
  readonly dieWithParent?: boolean;
}

/** Which process serves that folder now, whoever started it; undefined when none does. */
export function runningServer(dir: string, name: string): ProcessIdentity | undefined {
  const text = readIfExists(join(dir, `${name}.pid.json`));
  if (text === undefined) return undefined;
  // Written by ServerProcess only.
  const identity = JSON.parse(text) as ProcessIdentity;
  return isRunning(identity) ? identity : undefined;
}

const logLimitBytes = 16 * 1024 * 1024;

/**
 * One server program in a folder, with its pid and log beside its data.
 *
 * It runs in a session of its own, so that Ctrl-C in a terminal does not end it under the services that still need it to
 * stop in order. A server that outlived its starter is found by its pid file (checked against its start time, so that a
 * stranger with the same pid is never touched) and stopped before a new one starts on the same data.
 */
export class ServerProcess {
  readonly #spec: ServerProcessSpec;
  #identity: ProcessIdentity | undefined;
  #child: ChildProcess | undefined;

  constructor(spec: ServerProcessSpec) {
    this.#spec = spec;
  }

  /** The running server's pid; undefined while it is stopped or dead. */
  get pid(): number | undefined {
    return this.#identity !== undefined && isRunning(this.#identity) ? this.#identity.pid : undefined;
  }

  get logFile(): string {
    return join(this.#spec.dir, `${this.#spec.name}.log`);
  }

  get #pidFile(): string {
    return join(this.#spec.dir, `${this.#spec.name}.pid.json`);
  }

  /** Starts the server and waits until it takes work; throws SERVER_NOT_STARTED with the log's end. */
  async start(): Promise<void> {
    await this.#stopLeftover();
    await this.#assertPortFree();
    this.#spawn();
    const identity = this.#identity;
    try {
      await poll(`${this.#spec.name} ready`, this.#spec.readyTimeoutMs, async () => {
        if (identity === undefined || !isRunning(identity)) throw new Error("it ended at once");
        return this.#spec.isReady();
      });
    } catch (error) {
      await this.kill("SIGKILL");
      throw new DomainError(
        "unavailable",
        "SERVER_NOT_STARTED",
        `${this.#spec.name} (${this.#spec.program}) did not start in ${this.#spec.dir}: ${String(error)}. The end of ${this.logFile}:\n${this.#logEnd()}`,
        { cause: error },
      );
    }
  }

  /** Sends the signal and waits until the process is gone. Does nothing when it is not running. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined) return;
    signalProcess(identity, signal);
    await poll(
      `${this.#spec.name} gone after ${signal}`,
      this.#spec.stopTimeoutMs,
      () => !isRunning(identity),
      5,
    );
    this.#child = undefined;
  }

  /** Stops politely, then by force; never throws for a server that is already gone. */
  async stop(): Promise<void> {
    try {
      await this.kill("SIGTERM");
    } catch {
      await this.kill("SIGKILL");
    }
    rmSync(this.#pidFile, { force: true });
  }

  #spawn(): void {
    this.#rotateLog();
    const log = openSync(this.logFile, "a", 0o600);
    const { program, args } = this.#command();
    try {
      const child = spawn(program, args, {
        cwd: this.#spec.dir,
        detached: true,
        stdio: ["ignore", log, log],
        env: { PATH: process.env.PATH ?? "" },
      });
      // A program that cannot be executed is reported by the missing pid below.
      child.on("error", () => undefined);
      child.unref();
      this.#child = child;
    } finally {
      closeSync(log);
    }
    const pid = this.#child.pid;
    this.#identity = pid === undefined ? undefined : identifyProcess(pid);
    if (this.#identity !== undefined) writeFileWhole(this.#pidFile, JSON.stringify(this.#identity));
  }

  #command(): { program: string; args: string[] } {
    const args = [...this.#spec.args];
    const wrapper =
      this.#spec.dieWithParent === true ? findOnPath("setpriv", process.env.PATH ?? "") : undefined;
    if (wrapper === undefined) return { program: this.#spec.program, args };
    return { program: wrapper, args: ["--pdeathsig", "KILL", this.#spec.program, ...args] };
  }

  async #stopLeftover(): Promise<void> {
    const leftover = runningServer(this.#spec.dir, this.#spec.name);
    if (leftover === undefined) return;
    if (leftover.pid === this.pid) throw new Error(`${this.#spec.name} is already running`);
    this.#identity = leftover;
    await this.stop();
    this.#identity = undefined;
  }

  async #assertPortFree(): Promise<void> {
    const { name, host, port, dir } = this.#spec;
    if (await isPortFree(port, host)) return;
    throw new DomainError(
      "failed_precondition",
      "PORT_TAKEN",
      `${name} cannot start in ${dir}: another program listens on ${host}:${port}. End that program, or choose another port.`,
    );
  }

  #rotateLog(): void {
    const size = statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
    if (size > logLimitBytes) renameSync(this.logFile, `${this.logFile}.1`);
  }

  #logEnd(): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  }
}
