import { execFile } from "node:child_process";
import { availableParallelism, totalmem } from "node:os";
import { promisify } from "node:util";

/** What a node is made of. */
export interface NodeFacts {
  /** Schedulable devices. */
  readonly slots: number;
  /** "gpu", "cpu", or whatever the node's configuration says. */
  readonly slotKind: string;
  /** The variable that names a rank's devices by number. */
  readonly slotVariable?: string | undefined;
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

const NVIDIA_SMI_TIMEOUT_MS = 10_000;
/** So that a gang of two can be tried out on any machine. */
const MIN_CPU_SLOTS = 2;

/** Looks at the machine. Slots: as configured, else one per GPU, else one per processor core (at least two). */
export async function nodeFacts(configured: {
  readonly slots?: number | undefined;
  readonly slotKind?: string | undefined;
  readonly slotVariable?: string | undefined;
}): Promise<NodeFacts> {
  const cpuCount = availableParallelism();
  const { slots, slotKind: wanted } = configured;
  if (wanted !== undefined && wanted !== "gpu" && wanted !== "cpu" && slots === undefined) {
    throw new Error(
      `TRAINYARD_SLOT_KIND is "${wanted}", a kind that the agent cannot count: set TRAINYARD_SLOTS to how many this node has.`,
    );
  }
  // Not asked for when both are known, since the program takes a second to start.
  const known = wanted !== undefined && (slots !== undefined || wanted === "cpu");
  const gpus = known ? 0 : await countGpus();
  const slotKind = wanted ?? (gpus > 0 ? "gpu" : "cpu");
  const found = slotKind === "gpu" ? Math.max(1, gpus) : Math.max(MIN_CPU_SLOTS, cpuCount);
  const slotVariable = configured.slotVariable ?? (slotKind === "gpu" ? "CUDA_VISIBLE_DEVICES" : undefined);
  return { slots: slots ?? found, slotKind, slotVariable, cpuCount, memoryBytes: totalmem() };
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
