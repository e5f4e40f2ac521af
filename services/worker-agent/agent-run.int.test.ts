import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { scheduler, workeragent } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await testNode();
  await node.startAgent();
});

describe("an attempt from start to end", () => {
  it("runs the ranks in torchrun's environment, ships what they record, and is forgotten when no longer listed", async () => {
    const script = `
import os, sys, trainyard
run = trainyard.init({"lr": 5, "depth": 3})
for step in range(1, 51):
    run.log({"loss": 1.0 / step, "rank": float(run.rank)}, step=step)
run.log_params({"optimizer": "adam"})
run.set_tags({"stage": "final"})
run.note("looks well")
run.note("got worse", step=-40, key="loss")
run.log_histogram("weights", [0.0, 1.0, 1.0, float("nan")], bins=2)
print("hello from", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], os.environ["TRAINYARD_PARAMS"])
print("to stderr", file=sys.stderr)
for name in ("TRAINYARD_NATS_SEED_FILE", "TRAINYARD_KEY_FILE", "TRAINYARD_BLOB_URL"):
    assert name not in os.environ, name
`;
    const job = await node.assignment({ script, ranks: 2, spec: { params: { lr: 0.1 } } });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks.map(({ exit, lastStep }) => [exit?.code, exit?.signal, lastStep])).toEqual([
      [0, 0, 50n],
      [0, 0, 50n],
    ]);
    expect(status.ranks[0]?.firstStepAt).toBeDefined();
    for (const rank of [0, 1]) {
      const points = node.tracking.points(job.runId, 1, rank);
      expect(
        points.filter(({ key }) => key === "loss").map(({ step, value }) => [Number(step), value]),
      ).toEqual(Array.from({ length: 50 }, (_, index) => [index + 1, 1 / (index + 1)]));
      expect(node.tracking.text(job.runId, 1, rank, "stdout")).toBe(`hello from ${rank} of 2 {"lr":0.1}\n`);
      expect(node.tracking.text(job.runId, 1, rank, "stderr")).toBe("to stderr\n");
    }
    const told = node.tracking.facts.filter(({ runId, rank }) => runId === job.runId && rank === 0);
    expect(
      told.map(({ params, tags, note, noteStep, noteKey }) => [params, tags, note, noteStep, noteKey]),
    ).toEqual([
      [{ depth: "3" }, {}, "", undefined, ""],
      [{ optimizer: "adam" }, {}, "", undefined, ""],
      [{}, { stage: "final" }, "", undefined, ""],
      [{}, {}, "looks well", undefined, ""],
      [{}, {}, "got worse", -40n, "loss"],
    ]);
    const kept = node.tracking.artifacts.filter(({ runId }) => runId === job.runId);
    expect(kept.map(({ file }) => file?.path).sort()).toEqual([
      "environment.json",
      "media/histograms/weights/0000000000000050-rank-1.json",
      "media/histograms/weights/0000000000000050.json",
    ]);
    expect(existsSync(node.attemptDir(job))).toBe(true);
    await node.desire([]);
    await waitFor(
      "the attempt to be forgotten",
      () => node.status(job) === undefined && !existsSync(node.attemptDir(job)),
    );
  });

  it("tells a failing rank's traceback, and that the others were ended with it", async () => {
    const script = `
import os, time
if os.environ["RANK"] == "1":
    raise ValueError("no such column: größe")
time.sleep(60)
`;
    const job = await node.assignment({ script, ranks: 2 });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    const [first, second] = status.ranks;
    expect(second?.exit).toMatchObject({ code: 1, signal: 0, order: 1 });
    expect(second?.exit?.tracebackTail).toContain("ValueError: no such column: größe");
    expect(first?.exit).toMatchObject({ code: 0, signal: 15, order: 2 });
  });

  it("stops ranks that are asked to, and kills them after their grace when they will not", async () => {
    const polite = "import time\nprint('up', flush=True)\ntime.sleep(60)\n";
    const deaf = `import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n${polite}`;
    const jobs = await Promise.all(
      [polite, deaf].map((script) => node.assignment({ script, more: { graceMs: 500 } })),
    );
    await node.desire(jobs);
    for (const job of jobs) {
      await node.reaches(job, "RUNNING");
      await waitFor("the script to be up", () => node.tracking.text(job.runId, 1, 0, "stdout") === "up\n");
    }
    await node.desire(jobs.map((job) => ({ ...job, action: 2 })));
    const [asked, killed] = await Promise.all(jobs.map((job) => node.reaches(job, "FINALIZED")));
    expect(asked?.ranks[0]?.exit?.signal).toBe(15);
    expect(killed?.ranks[0]?.exit?.signal).toBe(9);
  });

  it("tells the shim whether a gang is stopped since it failed elsewhere, when its survivors may save", async () => {
    const script = "import time\nprint('up', flush=True)\ntime.sleep(60)\n";
    const jobs = await Promise.all([script, script].map((each) => node.assignment({ script: each })));
    await node.desire(jobs);
    for (const job of jobs)
      await waitFor("the script to be up", () => node.tracking.text(job.runId, 1, 0, "stdout") === "up\n");
    await node.desire(jobs.map((job, index) => ({ ...job, action: 2, handOver: index === 0 })));
    for (const [index, job] of jobs.entries()) {
      await node.reaches(job, "FINALIZED");
      const done: unknown = JSON.parse(readFileSync(join(node.attemptDir(job), "done.json"), "utf8"));
      expect(done).toMatchObject({ reason: index === 0 ? "failed" : "stopped" });
    }
  });

  it("carries what shims of a gang on several nodes tell each other, and is not stopped by what is none of it", async () => {
    // The rank stands in for its shim, whose files these are: it tells, and waits for what the other node tells.
    const script = `
import json, os, time
folder = os.environ["TRAINYARD_ATTEMPT_DIR"]
def write(name, value):
    with open(f"{folder}/{name}.tmp", "w") as file:
        json.dump(value, file)
    os.rename(f"{folder}/{name}.tmp", f"{folder}/{name}")
open(f"{folder}/collective-timed-out", "w").close()
write("handover-word.json", {"gathered": True, "ranks": [{"rank": 0, "ordinal": 7, "captures": []}]})
while not os.path.exists(f"{folder}/handover-others.json"):
    time.sleep(0.01)
write("handover-word.json", {"gathered": True, "reason": "SAVE_FAILED", "message": "The last word."})
print(open(f"{folder}/handover-others.json").read())
`;
    const job = await node.assignment({ script, more: { groupCount: 3, groupNodes: ["n1", "n2", "n3"] } });
    const keyOf = (nodeId: string) => `${job.jobId}.1.${nodeId}.handover`;
    const { HandoverWordSchema } = workeragent;
    const word = async () => {
      const entry = await node.rendezvous.get(keyOf("n1"));
      return entry === null
        ? undefined
        : { revision: entry.revision, ...fromBinary(HandoverWordSchema, entry.value) };
    };
    await node.rendezvous.put(keyOf("n2"), "no word at all");
    await node.desire([job]);
    const first = await waitFor("the node's word", word);
    expect(first).toMatchObject({ gathered: true, ranks: [{ rank: 0, ordinal: 7n }] });
    await waitFor("the scheduler to hear of it", () => node.status(job)?.handingOver);
    await waitFor("it to hear why", () => node.status(job)?.collectiveTimedOut);
    await waitFor("a sign of life", async () => ((await word())?.revision ?? 0) > first.revision);
    const theirs = create(HandoverWordSchema, { rounds: [{ round: 1, saved: true }] });
    await node.rendezvous.put(keyOf("n3"), toBinary(HandoverWordSchema, theirs));
    await node.reaches(job, "FINALIZED");
    expect(JSON.parse(node.tracking.text(job.runId, 1, 0, "stdout"))).toMatchObject({
      nodes: { 2: { word: { rounds: [{ round: 1, saved: true }] } } },
    });
    expect(await word()).toMatchObject({ reason: "SAVE_FAILED", message: "The last word." });
  });

  it("reports an attempt that it never had as reaped when it is told to stop it", async () => {
    const job = await node.assignment({ script: "" });
    await node.desire([{ ...job, action: 2 }]);
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks[0]?.exit?.signal).toBe(15);
    expect(existsSync(join(node.attemptDir(job), "spec.json"))).toBe(false);
  });

  it("holds each rank to its limits, in a folder of its own where the job wants one", async () => {
    const script = `
import os, resource, time
attempt = os.environ["TRAINYARD_ATTEMPT_DIR"]
print(os.getcwd().removeprefix(attempt), resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)
import helper
if os.environ["RANK"] == "0":
    open(os.path.join(attempt, "printed"), "w").close()
else:
    # Its end ends the other.
    while not os.path.exists(os.path.join(attempt, "printed")): time.sleep(0.02)
    bytearray(1 << 30)
`;
    const job = await node.assignment({
      script,
      ranks: 2,
      files: { "helper.py": "" },
      spec: {
        limits: { memoryBytes: 512n * 1024n ** 2n, openFiles: 200 },
        workFolder: scheduler.WorkFolder.PER_RANK,
      },
    });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    for (const rank of [0, 1])
      expect(node.tracking.text(job.runId, 1, rank, "stdout")).toBe(`/rank-${rank}/work (200, 200)\n`);
    expect(status.ranks[1]?.exit).toMatchObject({ code: 1, signal: 0 });
    expect(status.ranks[1]?.exit?.tracebackTail).toContain("MemoryError");
  });

  it("says what could not be fetched, and why", async () => {
    const digest = "0".repeat(64);
    const base = await node.assignment({ script: "" });
    const noCode = await node.assignment({ script: "", spec: { code: { digest } } });
    const noData = await node.assignment({
      script: "",
      more: { dataset: { name: "d", version: "1.0.0", manifestDigest: digest } },
    });
    const noCheckpoint = await node.assignment({
      script: "",
      more: { resume: { step: 5n, files: [{ rank: 0, path: "model.pt", digest, sizeBytes: 3n }] } },
    });
    const badInput = await node.assignment({
      script: "",
      spec: { inputs: [{ path: "../x", digest: base.spec?.code?.digest ?? "" }] },
    });
    await node.desire([noCode, noData, noCheckpoint, badInput]);
    const reasons = [];
    for (const job of [noCode, noData, noCheckpoint, badInput]) {
      reasons.push((await node.reaches(job, "FAILED_TO_START")).failureReason);
    }
    expect(reasons).toEqual([
      "CODE_FETCH_FAILED",
      "DATA_FETCH_FAILED",
      "CHECKPOINT_FETCH_FAILED",
      "START_FAILED",
    ]);
    expect(node.status(badInput)?.failureMessage).toContain('"../x"');
  });

  it("places dataset, checkpoint and inputs where the ranks look for them", async () => {
    const shard = await node.blobs.put(Buffer.from("PAR1"));
    const manifest = {
      name: "d",
      version: "1.0.0",
      splits: { train: { rows: 1, shards: [{ digest: shard.digest, rows: 1, sizeBytes: 4 }] } },
    };
    const manifestBlob = await node.blobs.put(Buffer.from(JSON.stringify(manifest)));
    const part = await node.blobs.put(Buffer.from("weights"));
    const script = `
import json, os
shard = json.load(open(os.environ["TRAINYARD_DATASET_MANIFEST"]))["splits"]["train"]["shards"][0]
resume = os.environ["TRAINYARD_RESUME_DIR"]
attempt = os.environ["TRAINYARD_ATTEMPT_DIR"]
print(open(shard["path"]).read(), shard["rows"], open(f"{resume}/rank-0/deep/model.pt").read(), open(f"{attempt}/inputs/m.bin").read())
`;
    const job = await node.assignment({
      script,
      spec: { inputs: [{ path: "inputs/m.bin", digest: part.digest }] },
      more: {
        dataset: { name: "d", version: "1.0.0", manifestDigest: manifestBlob.digest },
        resume: { step: 5n, files: [{ rank: 0, path: "deep/model.pt", digest: part.digest, sizeBytes: 7n }] },
      },
    });
    await node.desire([job]);
    await node.reaches(job, "FINALIZED");
    expect(node.tracking.text(job.runId, 1, 0, "stdout")).toBe("PAR1 1 weights weights\n");
    expect(readFileSync(join(node.attemptDir(job), "spec.json"), "utf8")).toContain('"schema":1');
  });
});
