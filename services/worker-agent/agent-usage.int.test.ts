import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, waitFor } from "@trainyard/testing";
import { beforeAll, expect, it } from "vitest";
import { type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await testNode();
});

/** What `nvidia-smi --loop=1` prints on a machine with two GPUs, where one does not tell its power. */
const gpuLines = `#!/bin/sh
if [ "$1" = "-L" ]; then printf 'GPU 0: NVIDIA H100 (UUID: GPU-a)\\nGPU 1: NVIDIA H100 (UUID: GPU-b)\\n'; exit 0; fi
while :; do
  echo "0, GPU-a, NVIDIA H100 80GB HBM3, 81559, 40000, 90, 61, 500.10, 0"
  echo "1, GPU-b, NVIDIA H100 80GB HBM3, 81559, 1000, 10, 40, [N/A], 2"
  sleep 1
done
`;

it("tells what each rank and the machine use, and what its GPUs are doing", async () => {
  const bin = tempDir("bin");
  writeFileSync(join(bin, "nvidia-smi"), gpuLines, { mode: 0o700 });
  const agent = await node.startAgent({
    PATH: `${bin}:${process.env.PATH ?? ""}`,
    TRAINYARD_SLOT_KIND: "gpu",
    TRAINYARD_SLOTS: "2",
  });
  const script = "held = bytearray(64 << 20)\nwhile True: pass\n";
  const job = await node.assignment({ script });
  await node.desire([job]);
  const usage = await waitFor("the rank's usage", () => {
    const found = node.status(job)?.ranks[0]?.usage;
    return found !== undefined && found.cpuPercent > 5 && found.gpuPercent !== undefined ? found : undefined;
  });
  expect(Number(usage.memoryBytes)).toBeGreaterThan(64 << 20);
  expect(usage.processes).toBe(1);
  expect([usage.gpuPercent, Number(usage.gpuMemoryBytes)]).toEqual([90, 40_000 * 1024 * 1024]);
  const heartbeat = node.heartbeats.at(-1);
  expect(heartbeat?.gpus).toMatchObject([
    { uuid: "GPU-a", utilizationPercent: 90, powerWatts: 500.1 },
    { uuid: "GPU-b", eccErrors: 2n },
  ]);
  expect(heartbeat?.gpus[1]?.powerWatts).toBeUndefined();
  expect(Number(heartbeat?.machine?.diskFreeBytes)).toBeGreaterThan(0);
  expect(heartbeat?.machine?.cpuPercent).toBeGreaterThan(0);
  await node.desire([]);
  await waitFor("the job to end", () => node.status(job) === undefined);
  const [samples] = await waitFor("what the rank used", () =>
    node.tracking.samples.length > 0 ? node.tracking.samples : undefined,
  );
  expect(samples).toMatchObject({ runId: job.runId, attempt: 1, rank: 0 });
  expect(samples?.keys).toEqual(
    expect.arrayContaining(["trainyard/rank/cpu_percent", "trainyard/rank/gpu_memory_bytes"]),
  );
  const seconds = new Set(samples?.offsets);
  expect(samples?.offsets).toHaveLength(seconds.size * (samples?.keys.length ?? 0));
  expect([...seconds].every((offset) => offset % 1000n === 0n)).toBe(true);
  await agent.kill("SIGTERM");
});
