import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBlobStore } from "@trainyard/blob";
import { type TestS3, tempDir, testNetwork, testS3, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { startCommand, startUp, trainyard, type UpProcess } from "../testing/command-line.ts";

const data = tempDir("join");
const names = ["node_a", "node_b"] as const;
// Two networks: over the first the machines reach the platform and not each other, over the second each other.
const network = testNetwork(names.length, 2);
const [a, b] = network.nodes;
if (a === undefined || b === undefined) throw new Error("no nodes");

/** A checkpoint as `checkpoints --json` has it. */
interface Kept {
  readonly step: string;
  readonly parts: readonly { readonly files: readonly { readonly digest: string }[] }[];
}

const script = `
import os, sys
import torch, torch.distributed as dist
import trainyard
assert not [name for name in os.environ if name.startswith("AWS_")], "a rank was given the store's keys"
run = trainyard.init()
dist.init_process_group("gloo")
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
print("met at", os.environ["MASTER_ADDR"], total.item())
run.checkpoint(1, state={"total": total})
dist.destroy_process_group()
`;

let platform: UpProcess;
let s3: TestS3;
const user = (args: readonly string[]) => trainyard(args, { cwd: data, env: { TRAINYARD_DATA: data } });

beforeAll(async () => {
  a.cutFrom(b);
  s3 = await testS3(network.hostAddress);
  const blobs = ["--blobs", s3.url("platform")];
  platform = await startUp(data, ["--listen", network.hostAddress, "--no-agent", ...blobs], s3.env);
  writeFileSync(join(data, "gang.py"), script);
  writeFileSync(
    join(data, "gang.yaml"),
    "name: gang\nentrypoint: [gang.py]\nnnodes: 2\nnprocPerNode: 2\nretries: 0\n",
  );
});

async function invite(name: string): Promise<string> {
  const { stdout, stderr, code } = await user(["agent", "invite", name, "--as", "admin"]);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

describe("machines that join a platform", () => {
  it("run a gang that meets on the network they are told, over blobs in S3 for which they have keys, and are named once", async () => {
    const tokens = await Promise.all(names.map(invite));
    const joining = (index: number) =>
      ["agent", "join", platform.url, "--token", tokens[index] ?? ""].concat([
        "--dir",
        join(data, names[index] ?? ""),
        "--slots",
        "2",
        "--rendezvous-interface",
        "eth1",
      ]);
    const keyless = await trainyard(joining(0), { on: a });
    expect(keyless.code).not.toBe(0);
    expect(keyless.stderr).toContain("BLOB_STORE_UNSEEN");
    expect(keyless.stderr).toContain("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    const env = { ...s3.env, TRAINYARD_LAUNCHER: "off", TRAINYARD_LISTEN_HOST: "127.0.0.1" };
    const agents = names.map((_, index) => startCommand(joining(index), { on: network.nodes[index], env }));
    await waitFor("both nodes", async () => {
      for (const agent of agents) expect(agent.output.stderr).not.toContain("error");
      const { stdout } = await user(["nodes", "--json"]);
      return (JSON.parse(stdout) as { nodes?: unknown[] }).nodes?.length === names.length;
    });
    const ran = await user(["submit", "gang.yaml", "--follow"]);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const job = /job_[A-Za-z0-9]+/.exec(ran.stdout)?.[0] ?? "";
    const { stdout: logs } = await user(["logs", job]);
    expect(logs.split("met at").length - 1).toBe(4);
    expect(logs).toContain(`met at ${a.addresses[1]} 10.0`);
    const { stdout: kept } = await user(["checkpoints", job, "--json"]);
    const { checkpoints } = JSON.parse(kept) as { readonly checkpoints: readonly Kept[] };
    expect(checkpoints.map(({ step, parts }) => [Number(step), parts.length])).toEqual([[1, 4]]);
    const store = openBlobStore(s3.url("platform"));
    for (const { digest } of checkpoints.flatMap(({ parts }) => parts.flatMap(({ files }) => files)))
      expect(await store.stat(digest)).toBeDefined();

    const again = await trainyard(
      ["agent", "join", platform.url, "--token", tokens[0] ?? "", "--no-start"].concat([
        "--dir",
        join(data, "thief"),
      ]),
    );
    expect(again).toMatchObject({ code: 4 });
    expect(again.stderr).toContain("JOIN_TOKEN_USED");
    for (const agent of agents) expect((await agent.kill("SIGTERM")).code).toBe(0);
    expect(readFileSync(join(data, names[0], "agent.env"), "utf8")).toContain(
      `TRAINYARD_ADDRESS="${a.address}"`,
    );
  });

  it("trains over a folder that it sees as the platform does, and is refused where another lies in its place", async () => {
    const shared = tempDir("shared");
    const listen = ["--listen", network.hostAddress, "--no-agent"];
    const { url } = await startUp(shared, listen);
    const user = (args: readonly string[]) =>
      trainyard(args, { cwd: shared, env: { TRAINYARD_DATA: shared } });
    const { stdout: token } = await user(["agent", "invite", "node_c", "--as", "admin"]);
    const joining = ["agent", "join", url, "--token", token.trim(), "--dir", join(shared, "node_c")];
    const blobs = join(shared, "blobs");
    // As on a machine of its own, where nobody has mounted the platform's folder.
    const elsewhere = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', blobs];
    const apart = await trainyard(joining, { on: { ...a, prefix: [...a.prefix, ...elsewhere] } });
    expect(apart.code).not.toBe(0);
    expect(apart.stderr).toContain("BLOB_STORE_UNSEEN");
    expect(apart.stderr).toContain(`Mount that folder here under the same path`);

    const env = { TRAINYARD_LAUNCHER: "off" };
    const agent = startCommand([...joining, "--slots", "2"], { on: a, env });
    await waitFor("the node", async () => {
      expect(agent.output.stderr).not.toContain("error");
      const { stdout } = await user(["nodes", "--json"]);
      return (JSON.parse(stdout) as { nodes?: unknown[] }).nodes?.length === 1;
    });
    writeFileSync(join(shared, "gang.py"), script);
    writeFileSync(
      join(shared, "gang.yaml"),
      "name: gang\nentrypoint: [gang.py]\nnprocPerNode: 2\nretries: 0\n",
    );
    const ran = await user(["submit", "gang.yaml", "--follow"]);
    expect(ran.code, ran.stdout + ran.stderr + agent.output.stderr).toBe(0);
    const job = /job_[A-Za-z0-9]+/.exec(ran.stdout)?.[0] ?? "";
    const { stdout: kept } = await user(["checkpoints", job, "--json"]);
    const { checkpoints } = JSON.parse(kept) as { readonly checkpoints: readonly Kept[] };
    const store = openBlobStore(`file://${blobs}`);
    const digests = checkpoints.flatMap(({ parts }) => parts.flatMap(({ files }) => files));
    expect(digests).not.toEqual([]);
    for (const { digest } of digests) expect(await store.stat(digest)).toBeDefined();
    expect((await agent.kill("SIGTERM")).code).toBe(0);
  });
});
