import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { workeragent } from "@trainyard/contracts";
import { type ServiceProcess, tempDir, waitFor } from "@trainyard/testing";
import { create as createTar, Header } from "tar";
import { beforeAll, describe, expect, it } from "vitest";
import { sha256, type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;
let agent: ServiceProcess;

beforeAll(async () => {
  node = await testNode();
  agent = await node.startAgent();
});

const sleeping = "import time\nprint('up', flush=True)\ntime.sleep(60)\n";

describe("the desired state", () => {
  it("is ignored when it is older, of another node's leader, or of an unknown protocol; the ranks run on", async () => {
    const job = await node.assignment({ script: sleeping });
    await node.desire([job], { epoch: 5n, generation: 10n });
    await node.reaches(job, "RUNNING");
    await node.desire([], { epoch: 5n, generation: 9n });
    await node.desire([], { epoch: 4n, generation: 99n });
    await node.desire([], { epoch: 6n, generation: 1n, protocolVersion: 2 });
    await node.removeDesired();
    const before = node.heartbeats.length;
    await waitFor("two more heartbeats", () => node.heartbeats.length > before + 2);
    expect(node.status(job)?.phase).toBe(workeragent.AttemptPhase.RUNNING);
    expect(node.heartbeats.at(-1)).toMatchObject({ appliedEpoch: 5n, appliedGeneration: 10n });
    // A restart reads the key anew, and finds none.
    await agent.kill("SIGKILL");
    agent = await node.startAgent();
    const at = node.heartbeats.length;
    await waitFor("two more heartbeats", () => node.heartbeats.length > at + 2);
    expect(node.status(job)?.phase).toBe(workeragent.AttemptPhase.RUNNING);
    await node.desire([], { epoch: 5n, generation: 11n });
    await waitFor("the explicit empty list to end it", () => node.status(job) === undefined);
  });
});

describe("what a rank writes", () => {
  it("is read up to a torn record, and what it names outside its attempt is not stored", async () => {
    const secret = join(tempDir("secret"), "secret.txt");
    writeFileSync(secret, "secret");
    const script = `
import os, struct, zlib, json
path = os.path.join(os.environ["TRAINYARD_RANK_DIR"], "records.bin")
def frame(body): return struct.pack("<II", len(body), zlib.crc32(body)) + body
def obj(value): return frame(b"\\x02" + json.dumps(value).encode())
def metrics(step, value): return frame(struct.pack("<BdqH", 1, 1.0, step, 1) + struct.pack("<H", 1) + b"m" + struct.pack("<d", value))
os.symlink(${JSON.stringify(secret)}, "link.txt")
os.mkfifo("pipe")
open("fine.txt", "w").write("fine")
attempt = os.environ["TRAINYARD_ATTEMPT_DIR"]
with open(path, "wb") as f:
    f.write(metrics(1, float("nan")))
    for name, file in [("a", "../../../../etc/passwd"), ("b", ${JSON.stringify(secret)}), ("c", "work/link.txt"), ("d", "work/pipe"), ("e", "work/none"), ("../../x", "work/fine.txt"), ("f", "work\\0/x")]:
        f.write(obj({"kind": "artifact", "path": name, "file": file}))
    f.write(obj({"kind": "checkpoint", "step": 1, "offset": 0, "dir": "../..", "files": [{"path": "../spec.json", "sizeBytes": 1}], "worldSize": 1}))
    f.write(obj({"kind": "checkpoint", "step": -1}) + obj(["no object"]) + frame(b"\\x02{") + frame(b"\\x09?") + frame(b"\\x01short"))
    f.write(obj({"kind": "artifact", "path": "ok/fine.txt", "file": "work/fine.txt"}))
    f.write(metrics(2, 0.5))
    f.write(metrics(3, 0.5)[:-3])
`;
    const job = await node.assignment({ script });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks[0]?.exit?.code, status.ranks[0]?.exit?.tracebackTail).toBe(0);
    expect(node.tracking.points(job.runId, 1, 0).map(({ step, value }) => [step, value])).toEqual([
      [1n, Number.NaN],
      [2n, 0.5],
    ]);
    const stored = node.tracking.artifacts.filter(({ runId }) => runId === job.runId);
    expect(stored.map(({ file }) => [file?.path, file?.digest])).toEqual([["ok/fine.txt", sha256("fine")]]);
    expect(await node.blobs.stat(sha256("secret"))).toBeUndefined();
    expect(node.tracking.parts.filter(({ runId }) => runId === job.runId)).toEqual([]);
  });

  it("is dropped, and its ranks are stopped, when a newer attempt has fenced it", async () => {
    node.tracking.fencedUpTo = 1;
    const script = `
import time, trainyard
run = trainyard.init()
open("a.txt", "w").write("a")
run.artifact("a.txt")
time.sleep(60)
`;
    const job = await node.assignment({ script });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    node.tracking.fencedUpTo = 0;
    expect(status.ranks[0]?.exit?.signal).toBe(15);
    expect(node.tracking.artifacts.filter(({ runId }) => runId === job.runId)).toEqual([]);
  });
});

describe("a code bundle", () => {
  const header = (fields: ConstructorParameters<typeof Header>[0]) => {
    const made = new Header(fields);
    made.encode();
    return made.block ?? Buffer.alloc(512);
  };
  const archive = (...blocks: Buffer[]) => gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));

  it.each([
    [
      "climbs out by ..",
      () => archive(header({ path: "../x", type: "File", size: 0, mode: 0o600 })),
      '"../x"',
    ],
    [
      "holds a link that leads out",
      () =>
        archive(
          header({ path: "out", type: "SymbolicLink", linkpath: "../../../../etc", size: 0, mode: 0o600 }),
        ),
      "outside the bundle",
    ],
    [
      "is cut off",
      () => archive(header({ path: "x", type: "File", size: 0 })).subarray(0, 40),
      "no sound gzip",
    ],
  ])("that %s is refused with the reason, and nothing of it is run", async (_what, make, message) => {
    const { digest } = await node.blobs.put(make());
    const job = await node.assignment({ script: "", spec: { code: { digest } } });
    await node.desire([job]);
    const status = await node.reaches(job, "FAILED_TO_START");
    expect([status.failureReason, status.failureMessage]).toEqual([
      "CODE_FETCH_FAILED",
      expect.stringContaining(message),
    ]);
  });

  it("may hold a link inside itself", async () => {
    const folder = tempDir("linked");
    writeFileSync(join(folder, "real.py"), "print('by a link')");
    symlinkSync("real.py", join(folder, "train.py"));
    const file = join(tempDir("linked"), "code.tgz");
    await createTar({ file, cwd: folder, gzip: true }, ["real.py", "train.py"]);
    const { digest } = await node.blobs.put(readFileSync(file));
    const job = await node.assignment({ script: "", spec: { code: { digest } } });
    await node.desire([job]);
    await node.reaches(job, "FINALIZED");
    expect(node.tracking.text(job.runId, 1, 0, "stdout")).toBe("by a link\n");
  });
});

describe("a node that is cut off", () => {
  it("ships what was recorded meanwhile when the bus is back, and stops its ranks when that takes too long", async () => {
    await agent.kill("SIGTERM");
    agent = await node.startAgent({ TRAINYARD_FENCE_AFTER_MS: "1500" });
    const script = `
import time, trainyard
run = trainyard.init()
for step in range(1, 3000):
    run.log({"m": 1.0}, step=step)
    time.sleep(0.01)
`;
    const job = await node.assignment({ script });
    await node.desire([job]);
    await node.reaches(job, "RUNNING");
    await waitFor("points", () => node.tracking.points(job.runId, 1, 0).length > 10);
    await node.nats.kill("SIGKILL");
    const done = join(node.attemptDir(job), "done.json");
    await waitFor("the ranks to be stopped", () => readFileSync(done, "utf8"));
    await node.nats.restart();
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks[0]?.exit?.signal).toBe(15);
    const steps = node.tracking.points(job.runId, 1, 0).map(({ step }) => Number(step));
    expect(steps).toEqual(Array.from({ length: Number(status.ranks[0]?.lastStep) }, (_, index) => index + 1));
  });

  it("keeps what its ranks print meanwhile within bounds on its disk, and ships both ends of it", async () => {
    await agent.kill("SIGTERM");
    agent = await node.startAgent({ TRAINYARD_FENCE_AFTER_MS: "600000" });
    const script = `
import os, time
print("first line", flush=True)
def wait(name):
    while not os.path.exists(name): time.sleep(0.02)
wait("go")
for number in range(80):
    os.write(1, (f"{number:04}" + "x" * 1020).encode() * 1024)
print("last line", flush=True)
wait("end")
`;
    const job = await node.assignment({ script });
    const file = (name: string) => join(node.attemptDir(job), name);
    await node.desire([job]);
    await waitFor("the first line", () => node.tracking.text(job.runId, 1, 0, "stdout") !== "");
    await node.nats.kill("SIGKILL");
    writeFileSync(file("work/go"), "");
    const MiB = 1024 ** 2;
    await waitFor("80 MiB of output that take less than half of it on the disk", () => {
      const { size, blocks } = statSync(file("rank-0/stdout.log"));
      return size > 80 * MiB && blocks * 512 < 40 * MiB;
    });
    await node.nats.restart();
    writeFileSync(file("work/end"), "");
    await node.reaches(job, "FINALIZED");
    const text = node.tracking.text(job.runId, 1, 0, "stdout");
    expect(text.startsWith("first line\n0000x")).toBe(true);
    expect(text.endsWith("xlast line\n")).toBe(true);
    expect(text).not.toContain("\0");
    expect(text.length).toBeGreaterThan(12 * MiB);
  });
});
