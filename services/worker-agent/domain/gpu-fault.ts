/** An error of a GPU that its driver reported to the kernel's log: an Xid. */
export interface GpuFault {
  /** Domain, bus and device, as `busIdOf` gives it. */
  readonly busId: string;
  readonly code: number;
  readonly atMs: number;
  readonly message: string;
}

const LINE = /^(\S+) NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+), ?(.*)$/;
const MAX_MESSAGE = 256;

/** Reads a line of `dmesg --time-format iso`; undefined when it tells of no GPU's error. */
export function gpuFaultFrom(line: string): GpuFault | undefined {
  const [, time = "", bus = "", code = "", message = ""] = LINE.exec(line) ?? [];
  // dmesg puts a comma before the fraction of a second.
  const atMs = Date.parse(time.replace(",", "."));
  if (code === "" || Number.isNaN(atMs)) return undefined;
  return { busId: busIdOf(bus), code: Number(code), atMs, message: message.slice(0, MAX_MESSAGE) };
}

/** "00000000:3B:00.0", as nvidia-smi has it, and "0000:3b:00", as the kernel's log does, as the same text. */
export function busIdOf(text: string): string {
  const [domain = "", bus = "", device = ""] = text.toLowerCase().split(":");
  return `${domain.slice(-4).padStart(4, "0")}:${bus}:${device.split(".")[0]}`;
}
