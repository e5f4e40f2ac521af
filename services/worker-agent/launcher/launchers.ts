import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Part } from "@trainyard/service";
import type { ShimStart } from "../domain/launcher-rules.ts";
import { leastRecentlyUsed } from "../domain/least-recently-used.ts";
import type { WarmStarter } from "../ranks/start-shim.ts";
import { Launcher, type LauncherOptions } from "./launcher.ts";

/** A launcher for a job's own Python is begun so long after its first cold start, which it must not compete with. */
const BEGIN_AFTER_MS = 10_000;
/** One that nothing was asked of for so long is ended. */
const IDLE_MS = 15 * 60_000;
const LOOK_INTERVAL_MS = 60_000;
const LOOK_FOR_TORCH_MS = 60_000;

export interface LaunchersOptions extends LauncherOptions {
  /** Most launchers at once, the node's own among them: each keeps about 0.4 GB. */
  readonly max: number;
  /** Where the SDK is for an interpreter that has it not installed. */
  readonly sdk: () => Promise<string>;
  /** See BEGIN_AFTER_MS. */
  readonly beginAfterMs?: number;
}

interface Extra {
  readonly launcher: Launcher;
  usedAtMs: number;
}

/**
 * The launchers of a node: the one of its own Python, always there, and one for each Python that jobs have brought lately. A
 * launcher can fork only what it has imported, so each Python needs its own; only so many are kept, those used last.
 */
export class Launchers implements Part, WarmStarter {
  readonly name = "launchers";
  readonly #options: LaunchersOptions;
  readonly #own: Launcher;
  readonly #extras = new Map<string, Extra>();
  /** Pythons whose launcher will be begun, with the timer. */
  readonly #due = new Map<string, NodeJS.Timeout>();
  /** Pythons that have no torch: a launcher for them could load nothing, and would take the place of one that can. */
  readonly #withoutTorch = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LaunchersOptions) {
    this.#options = options;
    this.#own = new Launcher(options);
  }

  /** How many there are, the node's own among them. */
  get count(): number {
    return 1 + this.#extras.size;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#endIdle(), LOOK_INTERVAL_MS).unref();
    await this.#own.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const timer of this.#due.values()) clearTimeout(timer);
    await Promise.all([
      this.#own.stop(),
      ...[...this.#extras.values()].map(({ launcher }) => launcher.stop()),
    ]);
  }

  /** Has the launcher of that Python fork the shim of an attempt; "cold" says that nothing was started. Never rejects. */
  async startShim(attemptDir: string, python: string): Promise<ShimStart> {
    const { mode, command, max } = this.#options;
    if (mode === "off" || python === command.python) return this.#own.startShim(attemptDir);
    const extra = this.#extras.get(python);
    if (extra !== undefined) {
      extra.usedAtMs = performance.now();
      return extra.launcher.startShim(attemptDir);
    }
    if (this.#withoutTorch.has(python))
      return { start: "cold", reason: "torch is not installed for the job's own Python" };
    if (max < 2) return { start: "cold", reason: "this node keeps a launcher for its own Python only" };
    this.#beginLater(python);
    return { start: "cold", reason: "there is no launcher yet for the job's own Python" };
  }

  #beginLater(python: string): void {
    if (this.#due.has(python) || this.#stopped) return;
    const timer = setTimeout(() => {
      this.#due.delete(python);
      this.#begin(python).catch((error: unknown) =>
        this.#options.logger.warn({ err: error, python }, "no launcher for a job's own Python"),
      );
    }, this.#options.beginAfterMs ?? BEGIN_AFTER_MS);
    this.#due.set(python, timer.unref());
  }

  async #begin(python: string): Promise<void> {
    const { dir, command, max, sdk } = this.#options;
    const env = { ...command.env, PYTHONPATH: await sdk() };
    if (!(await hasTorch(python, env))) this.#withoutTorch.add(python);
    if (this.#stopped || this.#withoutTorch.has(python)) return;
    const place = join(dir, createHash("sha256").update(python).digest("hex").slice(0, 16));
    const launcher = new Launcher({ ...this.#options, dir: place, command: { python, env }, optional: true });
    this.#extras.set(python, { launcher, usedAtMs: performance.now() });
    const ages = new Map([...this.#extras].map(([key, { usedAtMs }]) => [key, usedAtMs]));
    await Promise.all([launcher.start(), ...leastRecentlyUsed(ages, max - 1).map((key) => this.#end(key))]);
  }

  #endIdle(): void {
    const now = performance.now();
    for (const [python, { usedAtMs }] of this.#extras) {
      if (now - usedAtMs > IDLE_MS) this.#end(python).catch(() => undefined);
    }
  }

  async #end(python: string): Promise<void> {
    const extra = this.#extras.get(python);
    this.#extras.delete(python);
    await extra?.launcher.end();
  }
}

async function hasTorch(python: string, env: Readonly<Record<string, string>>): Promise<boolean> {
  const program = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
  try {
    await promisify(execFile)(python, ["-c", program], { env, timeout: LOOK_FOR_TORCH_MS });
    return true;
  } catch {
    return false;
  }
}
