import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "@trainyard/testing";
import { beforeAll, expect, it } from "vitest";
import { type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await testNode();
});

/** Waits for `go` in its attempt's directory, then prints its shard. */
const script = `
import json, os, time
while not os.path.exists(os.path.join(os.environ["TRAINYARD_ATTEMPT_DIR"], "go")): time.sleep(0.02)
shard = json.load(open(os.environ["TRAINYARD_DATASET_MANIFEST"]))["splits"]["train"]["shards"][0]
print(open(shard["path"]).read())
`;

async function jobOnShard(content: string) {
  const shard = await node.blobs.put(Buffer.from(content));
  const splits = {
    train: { rows: 1, shards: [{ digest: shard.digest, rows: 1, sizeBytes: content.length }] },
  };
  const manifest = await node.blobs.put(Buffer.from(JSON.stringify({ name: "d", version: "1.0.0", splits })));
  const more = { dataset: { name: "d", version: "1.0.0", manifestDigest: manifest.digest } };
  const job = await node.assignment({ script, more });
  return { job, shard: shard.digest, cached: join(node.agentDir, "cache", "blobs", shard.digest) };
}

it("keeps what a running attempt uses although the cache is over its limit, and evicts it afterwards", async () => {
  const agent = await node.startAgent({ TRAINYARD_CACHE_LIMIT_BYTES: "0" });
  const first = await jobOnShard("held");
  await node.desire([first.job]);
  await node.reaches(first.job, "RUNNING");
  const codeCache = join(node.agentDir, "cache", "code");
  await waitFor("the code to be evicted", () => readdirSync(codeCache).length === 0);
  expect(statSync(first.cached).nlink).toBe(2);
  // Even an operator who clears the cache by hand takes nothing away from what runs.
  rmSync(first.cached);
  writeFileSync(join(node.attemptDir(first.job), "go"), "");
  await node.reaches(first.job, "FINALIZED");
  expect(node.tracking.text(first.job.runId, 1, 0, "stdout")).toBe("held\n");
  const second = await jobOnShard("next");
  await node.desire([second.job]);
  await node.reaches(second.job, "RUNNING");
  writeFileSync(join(node.attemptDir(second.job), "go"), "");
  await node.reaches(second.job, "FINALIZED");
  await node.desire([]);
  await waitFor("the attempt to be forgotten", () => !existsSync(node.attemptDir(second.job)));
  const third = await jobOnShard("last");
  await node.desire([third.job]);
  await waitFor("the second's shard to be evicted", () => !existsSync(second.cached));
  await node.desire([]);
  await agent.kill("SIGTERM");
});

it("starts nothing where the disk has no room for what ranks write, and says so", async () => {
  const agent = await node.startAgent({ TRAINYARD_DISK_RESERVE_BYTES: String(2 ** 52) });
  const job = await node.assignment({ script: "print('never')" });
  await node.desire([job]);
  const status = await node.reaches(job, "FAILED_TO_START");
  expect(status.failureReason).toBe("START_FAILED");
  expect(status.failureMessage).toMatch(
    /The disk of the node is short: \d+ bytes are free and 4503599627370496 are kept/,
  );
  await agent.kill("SIGTERM");
});
