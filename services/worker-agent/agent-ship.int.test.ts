import { readFileSync } from "node:fs";
import { testLogger, waitFor } from "@trainyard/testing";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { BusLink } from "./heartbeat/bus-link.ts";
import { FollowWatch } from "./telemetry/follow-watch.ts";
import { type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await testNode();
});

const script = `
import time
for line in range(100):
    print(line, flush=True)
    time.sleep(0.01)
`;

it("ships what the ranks of an attempt print at about the same time as one message", async () => {
  const agent = await node.startAgent();
  const job = await node.assignment({ script, ranks: 2 });
  await node.desire([job]);
  await node.reaches(job, "FINALIZED");
  const printed = Array.from({ length: 100 }, (_, line) => `${line}\n`).join("");
  for (const rank of [0, 1]) expect(node.tracking.text(job.runId, 1, rank, "stdout")).toBe(printed);
  const ranks = node.tracking.bundles.map(
    ({ parts }) => new Set(parts.map(({ batch }) => batch.value?.rank)),
  );
  expect(ranks.some((of) => of.size === 2)).toBe(true);
  await agent.kill("SIGTERM");
});

it("hears which of its runs is followed, and of no other", async () => {
  const env = node.platform.serviceEnv("worker-agent", { nodeId: node.nodeId });
  const link = new BusLink({
    servers: node.platform.natsUrl,
    name: `agent-${node.nodeId}`,
    seed: readFileSync(env.TRAINYARD_NATS_SEED_FILE ?? "", "utf8"),
    logger: testLogger("agent"),
  });
  await link.start();
  onTestFinished(() => link.stop());
  const leaving = new AbortController();
  const [followed, other] = [new FollowWatch(link, "run_a"), new FollowWatch(link, "run_b")];
  await Promise.all([followed.listen(leaving.signal), other.listen(leaving.signal)]);
  await link.probe();
  expect(followed.isFollowed).toBe(false);
  node.tellFollowed({ runId: "run_a" });
  await waitFor("to hear of it", () => followed.isFollowed);
  expect(other.isFollowed).toBe(false);
  leaving.abort();
});
