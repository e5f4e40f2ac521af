import { scheduler } from "@trainyard/contracts";
import { atFileEnd, tcpProxy } from "@trainyard/testing";
import { expect, it } from "vitest";
import { rpcClient } from "./rpc-client.ts";
import { startTestServer, testKeys } from "./test-service.ts";

const WAY_MS = 50;
const ANSWER_BYTES = 3_500_000;

it("a large answer from far away is not held up at each 64 KiB", async () => {
  const keys = await testKeys();
  const { server, url } = await startTestServer(keys, {
    listNodes: () => ({ nodes: [{ id: "n".repeat(ANSWER_BYTES) }] }),
  });
  atFileEnd(async () => {
    await server.stop(AbortSignal.timeout(5_000));
    await keys.remove();
  });
  const far = await tcpProxy({ host: "127.0.0.1", port: Number(new URL(url).port) });
  const client = rpcClient(scheduler.SchedulerService, `http://127.0.0.1:${far.port}`);
  // Connects.
  await client.listNodes({});
  far.delay(WAY_MS);
  const begun = performance.now();
  const answer = await client.listNodes({});
  const tookMs = performance.now() - begun;
  expect(answer.nodes[0]?.id).toHaveLength(ANSWER_BYTES);
  // Held up at each, it would be under way at least so long.
  const heldUpMs = (ANSWER_BYTES / 65_536) * 2 * WAY_MS;
  expect(tookMs).toBeLessThan(heldUpMs / 2);
});
