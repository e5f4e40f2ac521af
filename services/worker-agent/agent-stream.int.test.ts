import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openBlobStore } from "@trainyard/blob";
import { checkoutRoot } from "@trainyard/local";
import { spawnScript, tempDir, testS3, waitFor } from "@trainyard/testing";
import { expect, it } from "vitest";
import { testNode } from "./testing/test-node.ts";

/** `npm run test:checkpoint-2gb` asks for 2 GB. */
const STATE_BYTES = Number(process.env.TRAINYARD_TEST_STREAM_BYTES ?? 300_000_000);
const MOST_MEMORY_BYTES = 256_000_000;
const DISK = "32m";

/** Fills its disk to the last byte, then checkpoints twice; of the second nothing is new. The third is of a sharded model. */
const script = `
import os, sys, torch, trainyard
run = trainyard.init()
run.log({"before": 1.0})
tensors = {str(i): torch.full((${STATE_BYTES} // 40,), float(i)) for i in range(10)}
filler = open(os.path.join(os.environ["TRAINYARD_ATTEMPT_DIR"], "filler"), "wb", buffering=0)
for size in (1 << 20, 4096, 1):
    try:
        while True: filler.write(b"x" * size)
    except OSError as error:
        assert error.errno == 28, error
found = os.statvfs(os.environ["TRAINYARD_ATTEMPT_DIR"])
assert found.f_bavail == 0, found
for step in (1, 2):
    run.checkpoint(step, state=tensors)
    run._saver.wait()
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
model = fully_shard(torch.nn.Linear(100, 100))
run.checkpoint(3, model=model, optimizer=torch.optim.SGD(model.parameters()))
run._saver.wait()
filler.truncate(0)
run.finish()
`;

/** The agent with its folder on a small disk of its own: a mount in a namespace that ends with it. */
const ON_A_SMALL_DISK = [
  "unshare",
  "--mount",
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
  "sh",
  "-c",
  `mkdir -p "$TRAINYARD_AGENT_DIR" && mount -t tmpfs -o size=${DISK} tmpfs "$TRAINYARD_AGENT_DIR" && exec "$@"`,
  "sh",
];

it("commits a checkpoint that its disk has no room for, through an agent whose memory does not grow with it", {
  timeout: 600_000,
}, async () => {
  const [node, s3] = await Promise.all([testNode(), testS3()]);
  const own = node.platform.serviceEnv("worker-agent", { nodeId: node.nodeId });
  const job = await node.assignment({ script });
  const bucket = openBlobStore(s3.url("checkpoints"));
  await bucket.put(await bytesOf(node.blobs, job.spec?.code?.digest ?? ""));
  const agent = await spawnScript("agent n1", {
    script: "services/worker-agent/main.ts",
    env: {
      ...own,
      ...s3.env,
      TRAINYARD_BLOB_URL: s3.url("checkpoints"),
      TRAINYARD_LAUNCHER: "off",
      TRAINYARD_SDK_PATH: join(checkoutRoot, "sdk/python"),
      TRAINYARD_AGENT_DIR: join(tempDir("agent-disk"), "agent"),
      TRAINYARD_DISK_RESERVE_BYTES: "0",
    },
    readyUrl: `http://127.0.0.1:${own.TRAINYARD_LISTEN_PORT}/readyz`,
    prefix: ON_A_SMALL_DISK,
  });
  await node.desire([job]);
  await waitFor("both checkpoints", () => node.tracking.parts.length >= 2, { timeoutMs: 500_000 });
  const [first, second] = node.tracking.parts;
  const stateOf = (part: typeof first) => part?.part?.files.find(({ path }) => path === "state.pt");
  expect(Number(stateOf(first)?.sizeBytes)).toBeGreaterThan(STATE_BYTES);
  expect((await bucket.stat(stateOf(first)?.digest ?? ""))?.sizeBytes).toBe(
    Number(stateOf(first)?.sizeBytes),
  );
  // What did not change is the same blob, and was not even sent.
  expect(stateOf(second)?.digest).toBe(stateOf(first)?.digest);
  const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
  const peakBytes = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  expect(peakBytes).toBeLessThan(MOST_MEMORY_BYTES);
  await waitFor("that of the sharded model", () => node.tracking.parts.length === 3, { timeoutMs: 60_000 });
  const shards = node.tracking.parts[2]?.part?.files.filter(({ path }) => path.startsWith("sharded/")) ?? [];
  expect(shards.map(({ path }) => path).sort()).toEqual(["sharded/.metadata", "sharded/__0_0.distcp"]);
  for (const { digest, sizeBytes } of shards)
    expect((await bucket.stat(digest))?.sizeBytes).toBe(Number(sizeBytes));
  const ended = await node.reaches(job, "FINALIZED");
  expect(ended.ranks[0]?.exit?.code, ended.ranks[0]?.exit?.tracebackTail).toBe(0);
  await agent.kill("SIGTERM");
});

async function bytesOf(blobs: ReturnType<typeof openBlobStore>, digest: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await blobs.open(digest)) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
