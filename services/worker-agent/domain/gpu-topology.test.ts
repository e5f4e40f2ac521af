import { describe, expect, it } from "vitest";
import { gpuFaultFrom } from "./gpu-fault.ts";
import { gpuLinks } from "./gpu-topology.ts";

const matrix = `\t\u001b[4mGPU0\tGPU1\tGPU2\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\u001b[0m
GPU0\t X \tNV18\tSYS\tPIX\t0-31\t0\t\tN/A
GPU1\tNV18\t X \tNODE\tSYS\t0-31\t0\t\tN/A
GPU2\tSYS\tNODE\t X \tSYS\t32-63\t1\t\tN/A
NIC0\tPIX\tSYS\tSYS\t X 

Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes
  NIC0: mlx5_0
`;

describe("what connects the GPUs", () => {
  it("is read from nvidia-smi's matrix, each pair once, without network cards", () => {
    expect(gpuLinks(matrix)).toEqual([
      { first: 0, second: 1, kind: "NV18" },
      { first: 0, second: 2, kind: "SYS" },
      { first: 1, second: 2, kind: "NODE" },
    ]);
  });

  it.each([
    ["one GPU", "\tGPU0\tCPU Affinity\nGPU0\t X \t0-15\n"],
    ["no driver", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"],
    ["nothing", ""],
  ])("is nothing for %s", (_case, text) => {
    expect(gpuLinks(text)).toEqual([]);
  });
});

describe("a GPU's error", () => {
  it("is read from the kernel's log", () => {
    const line =
      "2026-03-04T05:06:07,890123+00:00 NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.";
    expect(gpuFaultFrom(line)).toEqual({
      busId: "0000:3b:00",
      code: 79,
      atMs: Date.UTC(2026, 2, 4, 5, 6, 7, 890),
      message: "pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
    });
  });

  it.each([
    "2026-03-04T05:06:07,890123+00:00 tyb3: port 1 entered disabled state",
    "yesterday NVRM: Xid (PCI:0000:3b:00): 79, gone",
    "2026-03-04T05:06:07,890123+00:00 NVRM: GPU at PCI:0000:3b:00: GPU-5f2c",
  ])("is not seen in %j", (line) => {
    expect(gpuFaultFrom(line)).toBeUndefined();
  });
});
