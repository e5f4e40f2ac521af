import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { type Backoff, backoffMs } from "../domain/backoff.ts";
import { conditionFrom, type ShimStart, shimStartFrom, whyReplace } from "../domain/launcher-rules.ts";
import { isAlive, signalProcess } from "../ranks/processes.ts";
import type { ShimCommand } from "../ranks/start-shim.ts";
import { askLauncher } from "./ask-launcher.ts";
import { type LauncherRecord, readLauncherRecord } from "./launcher-record.ts";
import { NewLauncher } from "./new-launcher.ts";

const LOOK_INTERVAL_MS = 5_000;
const PING_TIMEOUT_MS = 2_000;
/** A launcher that misses so many pings in a row is killed. */
const MAX_MISSED_PINGS = 3;
/** For the shim's answer: a fork and a file, on a machine that may be busy. */
const START_TIMEOUT_MS = 10_000;
const RESTART: Backoff = { firstMs: 1_000, maxMs: 60_000 };
/** A launcher that has served for so long clears the count of failures. */
const SETTLED_MS = 60_000;

export interface LauncherOptions {
  /** "off" starts none: every attempt then starts cold. */
  readonly mode: "warm" | "off";
  /** Where its socket, record and log are. */
  readonly dir: string;
  /** What it is started with: the interpreter and the environment of shims. */
  readonly command: ShimCommand;
  /** What becomes of it when the agent stops: left to the next agent, or stopped. */
  readonly onStop: "leave" | "stop";
  readonly logger: Logger;
  /** Of a Python that may not have torch at all: it is given up at the first launcher that does not start. */
  readonly optional?: boolean;
  /** Attempts after which it is replaced; see `MAX_LAUNCHER_JOBS`. */
  readonly maxJobs?: number;
}

/**
 * The agent's side of the launcher, the process that has imported torch and forks ranks. Keeps one there: takes up that of
 * an earlier agent, starts one, has it replaced while it still serves when it is worn or of other code, and restarts one
 * that died, with growing waits. An attempt never depends on it: whatever is wrong, the answer is "cold", with the reason.
 */
export class Launcher implements Part {
  readonly name = "launcher";
  readonly #options: LauncherOptions;
  readonly #label: string;
  readonly #stopping = new AbortController();
  #serving: LauncherRecord | undefined;
  #servingSinceMs = 0;
  #missedPings = 0;
  #next: NewLauncher | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  #givenUp: string | undefined;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();

  constructor(options: LauncherOptions) {
    this.#options = options;
    const { python, env } = options.command;
    const content = JSON.stringify([python, Object.entries(env).sort()]);
    this.#label = createHash("sha256").update(content).digest("hex").slice(0, 16);
  }

  /** Resolves at once, or after one ping when an earlier agent has left a launcher. */
  async start(): Promise<void> {
    const { mode, dir, logger } = this.#options;
    if (mode === "off") return;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await this.#look().catch((error: unknown) =>
      logger.warn({ err: error }, "the launcher is not looked at"),
    );
    this.#running = this.#live();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.#options.onStop === "leave" || this.#options.mode === "off") return;
    await this.#endProcess();
  }

  /** Stops, and ends the launcher's process whatever becomes of others when the agent stops. */
  async end(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#endProcess();
  }

  async #endProcess(): Promise<void> {
    this.#next?.kill();
    const record = await readLauncherRecord(this.#options.dir);
    if (record !== undefined) signalProcess(record, "SIGTERM");
  }

  /** Has the launcher fork the shim of an attempt. "cold" says that the shim is to be started without it; never rejects. */
  async startShim(attemptDir: string): Promise<ShimStart> {
    if (this.#options.mode === "off") return { start: "cold", reason: "the launcher is switched off" };
    const record = this.#serving;
    if (this.#givenUp !== undefined) return { start: "cold", reason: this.#givenUp };
    if (record === undefined) {
      const why = this.#next === undefined ? "the launcher is not there" : "the launcher is starting";
      return { start: "cold", reason: why };
    }
    try {
      return await this.#ask(record, attemptDir);
    } catch (error) {
      this.#wake.resolve();
      const successor = await this.#successorOf(record);
      if (successor === undefined) return coldBecause(error);
      return this.#ask(successor, attemptDir).catch(coldBecause);
    }
  }

  async #ask({ socket }: LauncherRecord, attemptDir: string): Promise<ShimStart> {
    const answer = await askLauncher(this.#options.dir, socket, { attemptDir }, START_TIMEOUT_MS);
    return shimStartFrom(answer) ?? { start: "cold", reason: "the launcher's answer is not understood" };
  }

  /** The launcher that took over from one since its record was read: this agent began it, for nobody else does here. */
  async #successorOf({ pid }: LauncherRecord): Promise<LauncherRecord | undefined> {
    const now = await readLauncherRecord(this.#options.dir);
    return now?.pid === pid ? undefined : now;
  }

  async #live(): Promise<void> {
    const { signal } = this.#stopping;
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    while (!signal.aborted) {
      const timer = delay(LOOK_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      await Promise.race([timer, this.#wake.promise, aborted]);
      this.#wake = Promise.withResolvers();
      if (signal.aborted) return;
      await this.#look().catch((error: unknown) => this.#failed("it is not looked at", error));
    }
  }

  async #look(): Promise<void> {
    const record = await readLauncherRecord(this.#options.dir);
    if (record === undefined || !isAlive(record)) {
      if (this.#serving !== undefined) this.#failed("it has ended");
      this.#serving = undefined;
      this.#begin();
      return;
    }
    const condition = conditionFrom(await this.#ping(record));
    if (condition === undefined) return this.#missed(record);
    this.#missedPings = 0;
    if (this.#serving?.pid !== record.pid) this.#servingSinceMs = performance.now();
    if (performance.now() - this.#servingSinceMs > SETTLED_MS) this.#failures = 0;
    const why = whyReplace(condition, this.#label, this.#options.maxJobs);
    const fits = condition.current && condition.label === this.#label;
    if (fits && this.#serving?.pid !== record.pid)
      this.#options.logger.info({ pid: record.pid }, "the launcher is ready");
    // One that is only worn serves until its successor is ready; one of other code starts nothing any more.
    this.#serving = fits ? record : undefined;
    if (why !== undefined) this.#begin(why);
  }

  async #ping(record: LauncherRecord): Promise<unknown> {
    return askLauncher(this.#options.dir, record.socket, { ping: true }, PING_TIMEOUT_MS).catch(
      () => undefined,
    );
  }

  async #missed(record: LauncherRecord): Promise<void> {
    // One that was just replaced ends without an answer; its successor is looked at next.
    if ((await this.#successorOf(record)) !== undefined) return this.#wake.resolve();
    this.#missedPings += 1;
    // A machine may be busy: a single answer that is late does not make attempts start cold.
    if (this.#missedPings > 1) this.#serving = undefined;
    if (this.#missedPings < MAX_MISSED_PINGS) return;
    this.#missedPings = 0;
    signalProcess(record, "SIGKILL");
    this.#failed("it does not answer");
    this.#wake.resolve();
  }

  /** Starts a launcher unless one is being started, or the wait after a failure is not over. */
  #begin(replacing?: string): void {
    if (this.#next !== undefined || this.#stopping.signal.aborted || performance.now() < this.#notBeforeMs)
      return;
    if (this.#givenUp !== undefined) return;
    const { dir, command, logger } = this.#options;
    logger.info(replacing === undefined ? {} : { replacing }, "starting a launcher");
    this.#next = new NewLauncher({ dir, command, label: this.#label, onExit: () => this.#wake.resolve() });
    this.#next.ready
      .catch((error: unknown) => {
        if (this.#options.optional === true)
          this.#givenUp = "no launcher can be started for the job's own Python";
        this.#failed("it could not be started", error);
      })
      .finally(() => {
        this.#next = undefined;
        this.#wake.resolve();
      });
  }

  #failed(what: string, error?: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#failures += 1;
    const waitMs = backoffMs(RESTART, this.#failures, Math.random());
    this.#notBeforeMs = performance.now() + waitMs;
    const fields = { waitMs, ...(error === undefined ? {} : { err: error }) };
    const text = `the launcher: ${what}; attempts start cold meanwhile`;
    if (this.#failures === 1) this.#options.logger.warn(fields, text);
    else this.#options.logger.debug(fields, text);
  }
}

function coldBecause(error: unknown): ShimStart {
  return { start: "cold", reason: error instanceof Error ? error.message : String(error) };
}
