import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { GPU_QUERY, type GpuFacts, gpuFrom } from "../domain/gpu-facts.ts";
import { type GpuFault, gpuFaultFrom } from "../domain/gpu-fault.ts";
import { type GpuLink, gpuLinks } from "../domain/gpu-topology.ts";

/** What the driver has told the kernel since boot, and tells it from now on. */
const KERNEL_LOG_ARGUMENTS = ["--follow", "--time-format", "iso"];

/** One process that tells each second: starting `nvidia-smi` anew costs up to a second of processor time. */
const ARGUMENTS = [`--query-gpu=${GPU_QUERY}`, "--format=csv,noheader,nounits", "--loop=1"];
const RESTART_MS = 30_000;
const TOPOLOGY_TIMEOUT_MS = 10_000;

/**
 * Knows what each GPU of the node is doing, as `nvidia-smi` tells each second, how they are connected, and the errors that
 * their driver has reported to the kernel's log (which takes the right to read it); nothing on a node without GPUs.
 */
export class GpuMonitor implements Part {
  readonly name = "gpus";
  readonly #enabled: boolean;
  readonly #logger: Logger;
  readonly #gpus = new Map<number, GpuFacts>();
  /** The newest of each GPU, by its place on the bus. */
  readonly #faults = new Map<string, GpuFault>();
  #links: readonly GpuLink[] = [];
  #kernelLog: ChildProcess | undefined;
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

  /** The newest error of that GPU since boot. */
  faultOf(gpu: GpuFacts): GpuFault | undefined {
    return this.#faults.get(gpu.busId);
  }

  links(): readonly GpuLink[] {
    return this.#links;
  }

  of(index: number): GpuFacts | undefined {
    return this.#gpus.get(index);
  }

  async start(): Promise<void> {
    if (!this.#enabled) return;
    this.#spawn();
    this.#readKernelLog();
    execFile("nvidia-smi", ["topo", "-m"], { timeout: TOPOLOGY_TIMEOUT_MS }, (error, text) => {
      if (error === null) this.#links = gpuLinks(text);
      else this.#logger.warn({ err: error }, "nvidia-smi does not tell how the GPUs are connected");
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    this.#child?.kill("SIGTERM");
    this.#kernelLog?.kill("SIGTERM");
  }

  #readKernelLog(): void {
    const child = spawn("dmesg", KERNEL_LOG_ARGUMENTS, { stdio: ["ignore", "pipe", "ignore"] });
    this.#kernelLog = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const fault = gpuFaultFrom(line);
      if (fault === undefined) return;
      this.#faults.set(fault.busId, fault);
      this.#logger.warn({ ...fault }, "the driver has reported an error of a GPU");
    });
    const over = (why: unknown) => {
      if (!this.#stopped)
        this.#logger.warn({ why }, "the kernel's log cannot be read: errors of GPUs are not told");
    };
    child.on("error", (error) => over(error.message));
    child.on("exit", (code, signal) => over(signal ?? code));
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
