import { execFile } from "node:child_process";
import { availableParallelism, totalmem } from "node:os";
import { promisify } from "node:util";

/** What a node is made of. */
export interface NodeFacts {
  /** Schedulable devices. */
  readonly slots: number;
  readonly slotKind: "gpu" | "cpu";
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

const NVIDIA_SMI_TIMEOUT_MS = 10_000;
/** So that a gang of two can be tried out on any machine. */
const MIN_CPU_SLOTS = 2;

/** Looks at the machine. Slots: as configured, else one per GPU, else one per processor core (at least two). */
export async function nodeFacts(configured: {
  readonly slots?: number | undefined;
  readonly slotKind?: "gpu" | "cpu" | undefined;
}): Promise<NodeFacts> {
  const cpuCount = availableParallelism();
  // Not asked for when both are known, since the program takes a second to start.
  const known = configured.slots !== undefined && configured.slotKind !== undefined;
  const gpus = known || configured.slotKind === "cpu" ? 0 : await countGpus();
  const slotKind = configured.slotKind ?? (gpus > 0 ? "gpu" : "cpu");
  const found = slotKind === "gpu" ? Math.max(1, gpus) : Math.max(MIN_CPU_SLOTS, cpuCount);
  return { slots: configured.slots ?? found, slotKind, cpuCount, memoryBytes: totalmem() };
}

/** GPUs that the driver lists; 0 without a driver. */
async function countGpus(): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", ["-L"], { timeout: NVIDIA_SMI_TIMEOUT_MS });
    return stdout.split("\n").filter((line) => line.startsWith("GPU ")).length;
  } catch {
    return 0;
  }
}
