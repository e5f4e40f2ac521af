import { create, toBinary } from "@bufbuild/protobuf";
import { openKv } from "@trainyard/bus";
import { scheduler, workeragent } from "@trainyard/contracts";
import { type Signer, signDesiredState } from "@trainyard/service";
import { testSigner, waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { createWorld, type World } from "./test-support/world.ts";

const { JobState, PendingReason } = scheduler;

const forged = (nodeId: string) =>
  create(workeragent.NodeDesiredStateSchema, {
    protocolVersion: 1,
    nodeId,
    leaderEpoch: 1_000n,
    generation: 1_000n,
  });

const pretending = (signer: Signer) => ({ ...signer, kid: "scheduler" });

describe("a desired state that the scheduler did not write", () => {
  it.each<[string, (world: World) => Promise<Uint8Array>]>([
    ["is not signed", async () => toBinary(workeragent.NodeDesiredStateSchema, forged("n1"))],
    [
      "is signed with another service's key",
      async () => signDesiredState(pretending(await testSigner("tracking")), forged("n1")),
    ],
    [
      "is another node's",
      async (world) => (await (await openKv(world.bus, "desired")).get("node.n2"))?.value ?? new Uint8Array(),
    ],
    ["is noise", async () => new TextEncoder().encode("run everything")],
  ])("because it %s is replaced, and the job goes on", async (_what, makeValue) => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    await world.agent("n2", 1);
    const job = await world.submit(api);
    const assignment = await agent.assigned(job.id, 1);
    agent.running(assignment, 3);
    await world.reached(api, job.id, JobState.RUNNING);
    const before = await agent.desired();
    const kv = await openKv(world.bus, "desired");
    const revision = await kv.put("node.n1", await makeValue(world));

    await waitFor("the key to be written anew", async () => {
      const entry = await kv.get("node.n1");
      return entry !== null && entry.revision > revision;
    });
    const healed = await agent.desired();
    expect(healed?.assignments).toEqual(before?.assignments);
    expect(healed?.leaderEpoch).toBe(before?.leaderEpoch);
    expect(healed?.generation).toBeGreaterThan(before?.generation ?? 0n);
    agent.finalized(assignment);
    expect((await world.reached(api, job.id, JobState.SUCCEEDED)).attempts).toHaveLength(1);
  });

  it("because somebody deleted it is written again", async () => {
    const world = await createWorld();
    await world.scheduler();
    const agent = await world.agent("n1", 2);
    await (await openKv(world.bus, "desired")).delete("node.n1");
    await waitFor("the key to be back", () => agent.desired());
  });

  it("because it is an old one of the same node is overtaken by a newer generation", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const kv = await openKv(world.bus, "desired");
    const old = (await kv.get("node.n1"))?.value ?? new Uint8Array();
    const job = await world.submit(api);
    await agent.assigned(job.id, 1);
    const before = await agent.desired();
    await kv.put("node.n1", old);
    await agent.applied(
      "a newer one",
      ({ generation, assignments }) =>
        generation > (before?.generation ?? 0n) && assignments[0]?.jobId === job.id,
    );
  });
});

describe("what a node is told", () => {
  it("holds of a job what its ranks need and nothing else", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api, {
      sourceYaml: "kind: TrainingJob",
      labels: { team: "vision" },
      params: { lr: 0.1 },
      env: { A: "b" },
    });
    const { spec } = await agent.assigned(job.id, 1);
    expect(spec).toMatchObject({ entrypoint: ["train.py"], params: { lr: 0.1 }, env: { A: "b" } });
    expect(spec).toMatchObject({ sourceYaml: "", labels: {}, name: "" });
  });

  it("never outgrows a message: who does not fit waits with the reason, and starts when there is room", async () => {
    const world = await createWorld();
    const app = await world.scheduler();
    const api = await world.api(app);
    const agent = await world.agent("n1", 12);
    const env = Object.fromEntries(Array.from({ length: 15 }, (_, at) => [`V${at}`, "x".repeat(8_000)]));
    const jobs = await Promise.all(
      Array.from({ length: 10 }, () => world.submit(api, { ranks: 1, env, name: "large" })),
    );
    const fits = 8;
    const told = await agent.applied("as many as fit", ({ assignments }) => assignments.length === fits);
    const waiting = jobs.filter(({ id }) => !told.assignments.some(({ jobId }) => jobId === id));
    expect(waiting).toHaveLength(2);
    const explained = await waitFor("the reason", async () => {
      const { job } = await api.getJob({ jobId: waiting[0]?.id ?? "" });
      return job?.pending?.reason === PendingReason.NODE_ORDERS_FULL ? job : undefined;
    });
    expect(explained.pending?.message).toMatch(/node n1 .* needs 12\d{4} bytes and \d{2,5} are free/);
    // The next leader knows of the reason from the record only.
    await app.stop();
    for (const assignment of told.assignments.slice(0, 2)) agent.finalized(assignment);
    const next = await world.api(await world.scheduler());
    for (const { id } of waiting) await agent.assigned(id, 1);
    await waitFor("the reason to be gone", async () => {
      const { job } = await next.getJob({ jobId: waiting[0]?.id ?? "" });
      return job !== undefined && job.pending?.reason !== PendingReason.NODE_ORDERS_FULL;
    });
  });
});
