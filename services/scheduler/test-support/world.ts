import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { openBlobStore } from "@trainyard/blob";
import type { Bus } from "@trainyard/bus";
import { peekCloudEvent, scheduler } from "@trainyard/contracts";
import { type Principal, rpcClient } from "@trainyard/service";
import { openStore } from "@trainyard/store";
import {
  atFileEnd,
  type TestNats,
  tempDir,
  testBus,
  testDatabase,
  testKeys,
  testLogger,
  testNats,
  testSigner,
  testVerifier,
  waitFor,
} from "@trainyard/testing";
import { build, type SchedulerApp } from "../app.ts";
import type { Config } from "../config.ts";
import { type Peers, startPeers } from "./peers.ts";
import { ScriptedAgent } from "./scripted-agent.ts";

type SpecInit = Extract<MessageInitShape<typeof scheduler.JobSpecSchema>, { $typeName?: never }>;
type Api = Client<typeof scheduler.SchedulerService>;

/** A key for the secrets of tests. */
function secretsKeyFile(): string {
  const path = join(tempDir("secrets"), "secrets.key");
  writeFileSync(path, "0123456789abcdef".repeat(4));
  return path;
}

const ada: Principal = { name: "ada", kind: "user", roles: ["submitter"], project: "default" };

/** A bus, a database and peers of one test's own, and schedulers on them. */
export interface World {
  readonly bus: Bus;
  readonly nats: TestNats;
  readonly peers: Peers;
  readonly config: Config;
  /** Digest of a code bundle that is in the blob store. */
  readonly code: string;
  /** Starts a scheduler process's worth in this process. */
  scheduler(): Promise<SchedulerApp>;
  api(app: { readonly url: string }, principal?: Principal): Promise<Api>;
  agent(nodeId: string, slots: number): Promise<ScriptedAgent>;
  spec(more?: SpecInit): SpecInit;
  submit(api: Api, more?: SpecInit): Promise<scheduler.Job>;
  /** Waits until the job is in this state. */
  reached(api: Api, jobId: string, state: scheduler.JobState): Promise<scheduler.Job>;
  /** Types of the events about this job (or node) so far, as published, ordered by the aggregate's version. */
  events(id: string): Promise<readonly string[]>;
}

/** The environment of a scheduler as a process of its own. */
export function envOf(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      `TRAINYARD_${key.replace(/[A-Z]/g, "_$&").toUpperCase()}`,
      String(value),
    ]),
  );
}

export async function createWorld(overrides: Partial<Config> = {}): Promise<World> {
  const nats = await testNats({ fresh: true });
  const [bus, database, peers] = await Promise.all([testBus(nats), testDatabase(), startPeers()]);
  atFileEnd(() => peers.stop());
  const store = await openStore({ ...database, logger: testLogger("world") });
  atFileEnd(() => store.close());
  const folder = tempDir("scheduler");
  const natsSeedFile = join(folder, "seed");
  writeFileSync(natsSeedFile, nats.seed);
  await testSigner("gateway");
  const blobUrl = pathToFileURL(join(folder, "blobs")).href;
  const { digest: code } = await openBlobStore(blobUrl).put(new TextEncoder().encode("a bundle"));
  const config: Config = {
    natsUrl: nats.server.url,
    natsSeedFile,
    mongodbUri: database.uri,
    mongodbDatabase: database.database,
    blobUrl,
    listenHost: "127.0.0.1",
    listenPort: 0,
    keyFile: testKeys().keyFile("scheduler"),
    jwksFile: testKeys().jwksFile,
    logLevel: "warn",
    secretsKeyFile: secretsKeyFile(),
    trackingUrl: peers.url,
    datasetUrl: peers.url,
    // Only who wants to see a dead leader replaced makes it short: a busy machine may hold a leader up for a second.
    leaderTtlMs: 20_000,
    nodeSuspectAfterMs: 400,
    nodeLostAfterMs: 800,
    nodeRestartWithinMs: 60_000,
    growAfterMs: 200,
    slowAfterMs: 500,
    busProbeEveryMs: 100,
    stopGraceMs: 1_000,
    ...overrides,
  };

  const spec = (more: SpecInit = {}) => ({
    name: "digits",
    ranks: 2,
    code: { digest: code, sizeBytes: 8n },
    entrypoint: ["train.py"],
    ...more,
  });

  return {
    bus,
    nats,
    peers,
    config,
    code,
    spec,
    async scheduler() {
      const app = await build(config, { logger: testLogger("scheduler") });
      atFileEnd(() => app.stop().catch(() => undefined));
      await app.start();
      return app;
    },
    async api(app, principal = ada) {
      const signer = await testSigner(principal.kind === "service" ? principal.name : "gateway");
      return rpcClient(scheduler.SchedulerService, app.url, { token: () => signer.sign(principal, 60_000) });
    },
    async agent(nodeId, slots) {
      const agent = new ScriptedAgent(bus, await testVerifier(), nodeId, slots).start();
      atFileEnd(() => agent.silence());
      await agent.applied("the first one", () => true);
      return agent;
    },
    async submit(api, more) {
      const { job } = await api.submitJob({ requestId: crypto.randomUUID(), spec: spec(more) });
      if (job === undefined) throw new Error("accepted without a job");
      return job;
    },
    reached: (api, jobId, state) =>
      waitFor(`job ${jobId} in state ${scheduler.JobState[state]}`, async () => {
        const { job } = await api.getJob({ jobId });
        if (job?.state === state) return job;
        throw new Error(
          `it is ${scheduler.JobState[job?.state ?? 0]}: ${JSON.stringify(job?.failure?.reason ?? job?.pending?.message)}`,
        );
      }),
    async events(id) {
      await waitFor("what was committed to be published", async () => {
        return (await store.collection("outbox").countDocuments({ state: "unpublished" })) === 0;
      });
      const consumer = await bus.js.consumers.get("EVENTS_SCHEDULER", {
        filter_subjects: [`trainyard.*.scheduler.*.*.*.${id}`],
      });
      const { num_pending: pending } = await consumer.info(false);
      const found: { readonly type: string; readonly version: number }[] = [];
      while (found.length < pending) {
        const message = await consumer.next({ expires: 2_000 });
        if (message === null) continue;
        const { type, aggregateversion: version } = peekCloudEvent(message.data);
        found.push({ type: type.split(".").slice(2, 4).join("."), version });
      }
      return found.sort((a, b) => a.version - b.version).map(({ type }) => type);
    },
  };
}
