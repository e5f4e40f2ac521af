import { setTimeout as delay } from "node:timers/promises";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { testSigner, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { spawnTracking } from "./test-process.ts";
import { startTracking, type TestTracking } from "./test-service.ts";
import { asUser, type Caller, callerOf, errorOf, nextRequest } from "./test-users.ts";

const { RunStatus } = tracking;

let service: TestTracking;

beforeAll(async () => {
  service = await startTracking();
});

async function aRun(who: Caller, idleLimitSeconds: bigint): Promise<string> {
  const request = { requestId: nextRequest(), experiment: "idle", idleLimitSeconds };
  return (await who.runs.createRun(request)).run?.id ?? "";
}

async function get(who: Caller, runId: string): Promise<tracking.Run> {
  const { run } = await who.tracking.getRun({ runId });
  if (run === undefined) throw new Error("no run");
  return run;
}

const lost = (who: Caller, runId: string) =>
  waitFor("the run to be given up", async () => {
    const run = await get(who, runId);
    return run.status === RunStatus.FAILED && run;
  });

describe("an outside run whose client is silent", () => {
  it("is ended as lost, once, and refuses heartbeats until its client resumes it", async () => {
    const ada = await asUser(service, "ada");
    const runId = await aRun(ada, 1n);
    const run = await lost(ada, runId);
    expect(run.failure).toMatchObject({ reason: "OWNER_LOST" });
    expect(run.endedAt).toBeDefined();
    const error = await errorOf(ada.runs.heartbeatRun({ runId }));
    expect(error).toMatchObject({ code: "failed_precondition", reason: "RUN_ENDED" });
    await ada.runs.updateRun({
      requestId: nextRequest(),
      runId,
      status: RunStatus.RUNNING,
      idleLimitSeconds: 3600n,
    });
    const resumed = await get(ada, runId);
    expect([resumed.status, resumed.failure, resumed.endedAt]).toEqual([
      RunStatus.RUNNING,
      undefined,
      undefined,
    ]);
    expect(await ada.runs.heartbeatRun({ runId })).toMatchObject({ idleLimitSeconds: 3600n });
    const events = await service.store.db
      .collection("outbox")
      .find({ subject: runId, type: /run.ended/ })
      .toArray();
    expect(events).toHaveLength(1);
  });

  it("lives on by any sign of life: a heartbeat, a parameter, a tag", async () => {
    const ada = await asUser(service, "ada");
    const [silent, ...alive] = [await aRun(ada, 4n), await aRun(ada, 4n), await aRun(ada, 4n)];
    const [beating = "", writing = ""] = alive;
    let n = 0;
    const stop = new AbortController();
    const signs = (async () => {
      while (!stop.signal.aborted) {
        await ada.runs.heartbeatRun({ runId: beating });
        await ada.runs.logParams({ requestId: nextRequest(), runId: writing, params: { [`p${++n}`]: "1" } });
        await delay(100);
      }
    })();
    await lost(ada, silent);
    stop.abort();
    await signs;
    for (const runId of alive) expect((await get(ada, runId)).status).toBe(RunStatus.RUNNING);
  });

  it("is not held to account for the time in which tracking itself was dead", async () => {
    const outageMs = 3_000;
    // Its servers only: the service runs as processes that can die.
    service = await startTracking({ start: false });
    const first = await spawnWatching();
    const runId = await aRun(first.ada, 2n);
    // So that there was a look to count the outage from.
    await waitFor("a look", async () => (await watch().findOne({ _id: "idle runs" })) !== null);
    await first.ada.runs.heartbeatRun({ runId });
    const { seenAt } = await get(first.ada, runId);
    if (seenAt === undefined) throw new Error("never seen");
    expect(await first.child.kill("SIGKILL")).toBe("SIGKILL");
    await delay(outageMs);
    const second = await spawnWatching();
    const run = await lost(second.ada, runId);
    expect(run.failure?.reason).toBe("OWNER_LOST");
    const endedAt = run.endedAt === undefined ? 0 : timestampDate(run.endedAt).getTime();
    expect(endedAt - timestampDate(seenAt).getTime()).toBeGreaterThanOrEqual(outageMs);
  });
});

const watch = () => service.store.db.collection<{ _id: string }>("run_watch");

async function spawnWatching() {
  await testSigner("gateway");
  const { child, url } = await spawnTracking(service, { TRAINYARD_IDLE_WATCH_MS: "250" });
  return { child, ada: await callerOf(url, { name: "ada" }) };
}
