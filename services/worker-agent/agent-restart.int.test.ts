import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { scheduler, workeragent } from "@trainyard/contracts";
import { type ServiceProcess, tcpProxy, tempDir, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { sha256, type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;
let agent: ServiceProcess;

beforeAll(async () => {
  node = await testNode();
});

/** Starts an agent that kills itself once at each of the points, again whenever it has, until the job is over. */
async function throughCrashes(
  points: readonly string[],
  job: workeragent.Assignment,
): Promise<workeragent.AttemptStatus> {
  const dir = tempDir("crash");
  const env = { TRAINYARD_CRASH_AT: points.join(","), TRAINYARD_CRASH_ONCE_DIR: dir };
  agent = await node.startAgent(env);
  await node.desire([job]);
  for (const _point of points) {
    expect(await agent.exited, agent.output()).toBe("SIGKILL");
    agent = await node.startAgent(env);
  }
  expect(readdirSync(dir).sort()).toEqual([...points].sort());
  const status = await node.reaches(job, "FINALIZED");
  await agent.kill("SIGTERM");
  return status;
}

const checkpointing = `
import os, trainyard
run = trainyard.init()
run.log({"loss": 0.5}, step=1)
run.checkpoint(1, state={"blob": "x" * 3_000_000})
with open("report.txt", "w") as f:
    f.write("all well")
run.artifact("report.txt", name="reports/report.txt")
os.makedirs("saved"); open("saved/weights.bin", "wb").write(b"w" * 10)
run.model("saved", {"inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 4]}], "outputs": []}, metrics={"acc": 1.0})
run.log({"loss": 0.25}, step=2)
`;

describe("an agent that is killed", () => {
  it("goes on with the running ranks when it is started again, and every point and line arrives exactly once", async () => {
    const script = `
import time, trainyard
run = trainyard.init()
for step in range(1, 301):
    run.log({"loss": float(step)}, step=step)
    print("line", step, flush=True)
    time.sleep(0.01)
`;
    const job = await node.assignment({ script, ranks: 2 });
    agent = await node.startAgent();
    await node.desire([job]);
    const running = await node.reaches(job, "RUNNING");
    for (const reached of [30, 120]) {
      await waitFor("some points", () => node.tracking.points(job.runId, 1, 1).length >= reached);
      await agent.kill("SIGKILL");
      agent = await node.startAgent();
    }
    const status = await node.reaches(job, "FINALIZED");
    await agent.kill("SIGTERM");
    expect(status.ranks.map(({ pid }) => pid)).toEqual(running.ranks.map(({ pid }) => pid));
    expect(status.ranks.map(({ exit, lastStep }) => [exit?.code, lastStep])).toEqual([
      [0, 300n],
      [0, 300n],
    ]);
    const steps = Array.from({ length: 300 }, (_, index) => index + 1);
    for (const rank of [0, 1]) {
      expect(node.tracking.points(job.runId, 1, rank).map(({ step }) => Number(step))).toEqual(steps);
      expect(node.tracking.text(job.runId, 1, rank, "stdout")).toBe(
        steps.map((step) => `line ${step}\n`).join(""),
      );
    }
    // What was confirmed before the kill is not sent again from its beginning.
    const begun = node.tracking.arrivals.filter(
      ({ key, begin }) => key === `${job.runId}.1.0.records` && begin === 0,
    );
    expect(begun).toHaveLength(1);
  });

  it("starts the ranks once although it died just after starting the shim", async () => {
    const job = await node.assignment({ script: "print('once')" });
    const status = await throughCrashes(["agent.start.spawned"], job);
    expect(status.ranks[0]?.exit?.code).toBe(0);
    expect(node.tracking.text(job.runId, 1, 0, "stdout")).toBe("once\n");
  });

  it("goes on carrying the words of a gang's survivors although it died after telling its own, and after bringing another's", async () => {
    // The rank stands in for its shim, whose files these are.
    const script = `
import json, os, time
folder = os.environ["TRAINYARD_ATTEMPT_DIR"]
def tell(word):
    with open(f"{folder}/word.tmp", "w") as file:
        json.dump(word, file)
    os.rename(f"{folder}/word.tmp", f"{folder}/handover-word.json")
def theirs():
    try:
        return json.load(open(f"{folder}/handover-others.json"))["nodes"]["1"]
    except FileNotFoundError:
        return {"number": 0}
tell({"gathered": True, "ranks": [{"rank": 0, "ordinal": 7, "captures": []}]})
while not (first := theirs())["number"]:
    time.sleep(0.01)
tell({"gathered": True, "ranks": [{"rank": 0, "ordinal": 7, "captures": []}], "rounds": [{"round": 1, "saved": True}]})
while theirs()["number"] == first["number"]:
    time.sleep(0.01)
print(json.dumps(theirs()["word"]))
`;
    const more = { groupCount: 2, groupNodes: ["n1", "n2"] };
    const job = await node.assignment({ script, more, spec: { framework: scheduler.Framework.PROCESS } });
    const keyOf = (nodeId: string) => `${job.jobId}.1.${nodeId}.handover`;
    const { HandoverWordSchema } = workeragent;
    const wordOf = async (nodeId: string) => {
      const entry = await node.rendezvous.get(keyOf(nodeId));
      return entry === null ? undefined : fromBinary(HandoverWordSchema, entry.value);
    };
    const say = (word: MessageInitShape<typeof HandoverWordSchema>) =>
      node.rendezvous.put(keyOf("n2"), toBinary(HandoverWordSchema, create(HandoverWordSchema, word)));
    await say({ gathered: true });
    const ended = throughCrashes(["agent.handover.told", "agent.handover.heard"], job);
    await waitFor("all that this node has to tell", async () => (await wordOf("n1"))?.rounds[0]?.saved, {
      timeoutMs: 120_000,
    });
    await say({ gathered: true, rounds: [{ round: 2, saved: true }] });
    expect((await ended).ranks[0]?.exit?.code).toBe(0);
    const heard: unknown = JSON.parse(node.tracking.text(job.runId, 1, 0, "stdout"));
    expect(heard).toMatchObject({ gathered: true, rounds: [{ round: 2, saved: true }] });
  });

  it("stores checkpoint, artifact and model whole although it died in an upload, after one, when it was reported, and at the end", async () => {
    const job = await node.assignment({ script: checkpointing });
    const points = [
      "agent.upload.half",
      "agent.upload.uploaded",
      "agent.upload.reported",
      "agent.end.flushed",
    ];
    await throughCrashes(points, job);
    const of = <T extends { readonly runId: string; readonly requestId: string }>(reports: readonly T[]) => {
      const own = reports.filter(({ runId }) => runId === job.runId);
      expect(new Set(own.map(({ requestId }) => requestId)).size).toBe(1);
      return own.at(-1);
    };
    const part = of(node.tracking.parts)?.part;
    expect(part?.files.length).toBeGreaterThan(0);
    for (const file of part?.files ?? []) {
      const stored = await readBlob(file.digest);
      expect([sha256(stored), BigInt(stored.length)]).toEqual([file.digest, file.sizeBytes]);
    }
    // Beside what the script keeps, the SDK keeps what the run ran with.
    const kept = node.tracking.artifacts.filter(({ file }) => file?.path !== "environment.json");
    expect(of(kept)?.file).toMatchObject({
      path: "reports/report.txt",
      digest: sha256("all well"),
    });
    const model = of(node.tracking.models)?.model;
    expect(model?.metrics).toEqual({ acc: 1 });
    expect(model?.files.find(({ path }) => path.endsWith("weights.bin"))?.digest).toBe(
      sha256("w".repeat(10)),
    );
    expect(node.tracking.points(job.runId, 1, 0).map(({ value }) => value)).toEqual([0.5, 0.25]);
  });

  it("ends what a killed shim left behind and reports its ranks as killed", async () => {
    const script = `
import os, subprocess, time
helper = subprocess.Popen(["sleep", "60"])
print(helper.pid, flush=True)
time.sleep(60)
`;
    const job = await node.assignment({ script });
    agent = await node.startAgent();
    await node.desire([job]);
    await node.reaches(job, "RUNNING");
    const helper = await waitFor(
      "the helper",
      () => Number(node.tracking.text(job.runId, 1, 0, "stdout")) || undefined,
    );
    await agent.kill("SIGKILL");
    const shim = JSON.parse(readFileSync(join(node.attemptDir(job), "shim.json"), "utf8"));
    process.kill(shim.pid, "SIGKILL");
    agent = await node.startAgent();
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks[0]?.exit).toMatchObject({ code: 0, signal: 9 });
    await waitFor("the helper to be dead", () => !isRunning(helper));
    await agent.kill("SIGTERM");
  });

  it("leaves the ranks running when it is stopped, and stops them when it is configured so", async () => {
    const job = await node.assignment({ script: "import time\ntime.sleep(60)" });
    agent = await node.startAgent();
    await node.desire([job]);
    const { ranks } = await node.reaches(job, "RUNNING");
    const pid = ranks[0]?.pid ?? 0;
    expect(await agent.kill("SIGTERM"), agent.output()).toBe(0);
    expect(isRunning(pid)).toBe(true);
    agent = await node.startAgent({ TRAINYARD_ON_STOP: "stop" });
    await node.reaches(job, "RUNNING");
    expect(await agent.kill("SIGTERM"), agent.output()).toBe(0);
    expect(isRunning(pid)).toBe(false);
    expect(node.status(job)?.ranks[0]?.exit?.signal).toBe(15);
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function readBlob(digest: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await node.blobs.open(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("an agent whose bus is far away", () => {
  it("runs, ships and ends as any other, also when the way to it breaks", async () => {
    const bus = new URL(node.platform.natsUrl);
    const way = await tcpProxy({ host: bus.hostname, port: Number(bus.port) });
    agent = await node.startAgent({ TRAINYARD_NATS_URL: `nats://127.0.0.1:${way.port}` });
    way.delay(150);
    const script = `
import itertools, os, time, trainyard
run = trainyard.init()
for step in itertools.count(1):
    run.log({"loss": float(step)}, step=step)
    time.sleep(0.02)
    if os.path.exists("enough"):
        break
`;
    const job = await node.assignment({ script });
    await node.desire([job]);
    const arrived = () => node.tracking.points(job.runId, 1, 0).length;
    await waitFor("points over the slow way", () => arrived() > 20);
    way.cut();
    const records = join(node.attemptDir(job), "rank-0", "records.bin");
    const { size } = statSync(records);
    await waitFor("the script to go on meanwhile", () => statSync(records).size > size);
    const before = arrived();
    way.heal();
    await waitFor("points when it is whole again", () => arrived() > before);
    writeFileSync(join(node.attemptDir(job), "work", "enough"), "");
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks[0]?.exit?.code).toBe(0);
    expect(node.tracking.points(job.runId, 1, 0).map(({ step }) => Number(step))).toEqual(
      Array.from({ length: Number(status.ranks[0]?.lastStep) }, (_, index) => index + 1),
    );
    await agent.kill("SIGTERM");
  });
});
