import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { GPU_QUERY, type GpuFacts, gpuFrom } from "../domain/gpu-facts.ts";

/** One process that tells each second: starting `nvidia-smi` anew costs up to a second of processor time. */
const ARGUMENTS = [`--query-gpu=${GPU_QUERY}`, "--format=csv,noheader,nounits", "--loop=1"];
const RESTART_MS = 30_000;

/** Knows what each GPU of the node is doing, as `nvidia-smi` tells each second; nothing on a node without GPUs. */
export class GpuMonitor implements Part {
  readonly name = "gpus";
  readonly #enabled: boolean;
  readonly #logger: Logger;
  readonly #gpus = new Map<number, GpuFacts>();
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: { readonly enabled: boolean; readonly logger: Logger }) {
    this.#enabled = options.enabled;
    this.#logger = options.logger;
  }

  /** By index. */
  all(): readonly GpuFacts[] {
    return [...this.#gpus.values()].sort((a, b) => a.index - b.index);
  }

  of(index: number): GpuFacts | undefined {
    return this.#gpus.get(index);
  }

  async start(): Promise<void> {
    if (this.#enabled) this.#spawn();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    this.#child?.kill("SIGTERM");
  }

  #spawn(): void {
    const child = spawn("nvidia-smi", ARGUMENTS, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const gpu = gpuFrom(line);
      if (gpu !== undefined) this.#gpus.set(gpu.index, gpu);
    });
    const over = (why: unknown) => {
      if (this.#child !== child || this.#stopped) return;
      this.#child = undefined;
      // A GPU that has fallen off the bus must not be told as it was.
      this.#gpus.clear();
      this.#logger.warn({ why }, "nvidia-smi has ended; trying again later");
      this.#restart = setTimeout(() => this.#spawn(), RESTART_MS);
    };
    child.on("error", (error) => over(error.message));
    child.on("exit", (code, signal) => over(signal ?? code));
  }
}
