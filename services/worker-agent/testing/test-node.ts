import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type BlobStore, openBlobStore } from "@trainyard/blob";
import {
  type Bus,
  buckets,
  connectBus,
  createKv,
  declareStream,
  eventStreamSpec,
  telemetryStreamSpec,
  tellFollowed,
} from "@trainyard/bus";
import { scheduler, workeragent } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { checkoutRoot, type NatsServer, type Platform } from "@trainyard/local";
import { createSigner, signDesiredState, signStackRequest } from "@trainyard/service";
import {
  atFileEnd,
  type ServiceProcess,
  spawnAgent,
  tempDir,
  testLogger,
  testPlatformBus,
  waitFor,
} from "@trainyard/testing";
import { create as createTar } from "tar";
import { StandInTracking } from "./stand-in-tracking.ts";

/** Which desired state it claims to be; the generation rises by itself, the epoch stays. */
export interface DesiredChanges {
  readonly epoch?: bigint;
  readonly generation?: bigint;
  readonly protocolVersion?: number;
}

/** What a test may want different in an assignment. */
export interface AssignmentChanges {
  readonly attempt?: number;
  readonly groupCount?: number;
  readonly groupNodes?: string[];
  readonly checkpointAtStep?: bigint;
  readonly graceMs?: number;
  readonly traceparent?: string;
  readonly dataset?: MessageInitShape<typeof scheduler.ResolvedDatasetSchema>;
  readonly resume?: MessageInitShape<typeof workeragent.ResumeFromSchema>;
}

/** A bus, a blob store, a stand-in of tracking, the scheduler's pen, and one node with a real agent process. */
export interface TestNode {
  readonly nodeId: string;
  readonly agentDir: string;
  readonly platform: Platform;
  readonly nats: NatsServer;
  readonly blobs: BlobStore;
  readonly tracking: StandInTracking;
  /** Where the agents of a gang's nodes meet. */
  readonly rendezvous: Awaited<ReturnType<typeof createKv>>;
  readonly heartbeats: readonly workeragent.NodeHeartbeat[];
  /** Starts the agent (again), with more variables if given. */
  startAgent(env?: Readonly<Record<string, string>>): Promise<ServiceProcess>;
  /** Writes the desired state; the generation rises with each call unless given. */
  desire(assignments: readonly workeragent.Assignment[], version?: DesiredChanges): Promise<void>;
  /** Puts these bytes at a node's key as tracking can: by a request that the server answers into that subject. */
  forge(nodeId: string, value: Uint8Array): Promise<void>;
  /** Signs a desired state that lists nothing: with this service's key, for this node. */
  signedEmpty(service: "scheduler" | "tracking", nodeId: string): Promise<Uint8Array>;
  /** Asks the agent for stacks as the scheduler does, or as somebody else; `undefined` when it does not answer. */
  stacks(
    of: { readonly jobId: string; readonly attempt: number },
    options?: { readonly logAs?: string; readonly signedFor?: string; readonly ageMs?: number },
  ): Promise<workeragent.StackReply | undefined>;
  /** Tells once, as tracking does, that somebody follows the run. */
  tellFollowed(of: { readonly runId: string }): void;
  /** Deletes the node's key. */
  removeDesired(): Promise<void>;
  /** The newest status of an attempt. */
  status(of: { readonly jobId: string; readonly attempt: number }): workeragent.AttemptStatus | undefined;
  reaches(
    of: { readonly jobId: string; readonly attempt: number },
    phase: keyof typeof workeragent.AttemptPhase,
    timeoutMs?: number,
  ): Promise<workeragent.AttemptStatus>;
  attemptDir(of: { readonly jobId: string; readonly attempt: number }): string;
  /** Stores a code bundle with these files. */
  bundle(files: Readonly<Record<string, string>>): Promise<string>;
  /** An assignment of one job with these ranks that runs `train.py`. */
  assignment(options: JobOptions): Promise<workeragent.Assignment>;
}

export interface JobChanges {
  readonly code?: { readonly digest: string };
  readonly entrypoint?: string[];
  readonly params?: Record<string, number>;
  readonly env?: Record<string, string>;
  readonly inputs?: { readonly path: string; readonly digest: string }[];
  readonly haltOnNonFinite?: string[];
  readonly start?: scheduler.StartMode;
  readonly python?: {
    readonly interpreter?: string;
    readonly requirements?: string;
    readonly isolated?: boolean;
  };
  readonly framework?: scheduler.Framework;
  readonly limits?: MessageInitShape<typeof scheduler.RankLimitsSchema>;
  readonly workFolder?: scheduler.WorkFolder;
}

export interface JobOptions {
  readonly script: string;
  readonly ranks?: number;
  readonly torch?: boolean;
  readonly spec?: JobChanges;
  /** Files of the code bundle beside the script. */
  readonly files?: Readonly<Record<string, string>>;
  readonly more?: AssignmentChanges;
}

/** One per test file: nats-server with the agent's real permissions, and everything around the agent. */
export async function testNode(): Promise<TestNode> {
  const { platform, nats } = await testPlatformBus();
  const nodeId = "n1";
  await platform.addAgent(nodeId, { slots: 2 });
  const [schedulerBus, trackingBus] = await Promise.all([
    busOf(platform, "scheduler"),
    busOf(platform, "tracking"),
  ]);
  await declareStream(trackingBus, telemetryStreamSpec());
  const [desired, rendezvous] = await Promise.all([
    createKv(schedulerBus, buckets.desired),
    createKv(schedulerBus, buckets.rendezvous),
  ]);
  const env = platform.serviceEnv("worker-agent", { nodeId });
  const tracking = new StandInTracking({
    bus: trackingBus,
    port: platform.ports.tracking,
    jwksFile: env.TRAINYARD_JWKS_FILE ?? "",
  });
  await tracking.start();
  atFileEnd(() => tracking.stop());
  const signer = await createSigner(platform.serviceEnv("scheduler").TRAINYARD_KEY_FILE ?? "");
  const blobs = await openBlobStore(env.TRAINYARD_BLOB_URL ?? "");
  const heartbeats: workeragent.NodeHeartbeat[] = [];
  schedulerBus.nc.subscribe(`agents.${nodeId}.heartbeat`, {
    callback: (_error, message) =>
      void heartbeats.push(fromBinary(workeragent.NodeHeartbeatSchema, message.data)),
  });
  let generation = 0n;
  let epoch = 1n;
  const node: TestNode = {
    nodeId,
    agentDir: env.TRAINYARD_AGENT_DIR ?? "",
    platform,
    nats,
    blobs,
    tracking,
    rendezvous,
    heartbeats,
    startAgent: (more = {}) =>
      spawnAgent(
        platform,
        nodeId,
        { TRAINYARD_SDK_PATH: join(checkoutRoot, "sdk/python"), ...more },
        { mayDie: "TRAINYARD_CRASH_AT" in more },
      ),
    async desire(assignments, version = {}) {
      generation = version.generation ?? generation + 1n;
      epoch = version.epoch ?? epoch;
      const state = create(workeragent.NodeDesiredStateSchema, {
        protocolVersion: version.protocolVersion ?? 1,
        nodeId,
        leaderEpoch: epoch,
        generation,
        assignments: [...assignments],
      });
      await desired.put(`node.${nodeId}`, await signDesiredState(signer, state));
    },
    async stacks({ jobId, attempt }, { logAs = "", signedFor = nodeId, ageMs = 0 } = {}) {
      const replyId = randomBytes(8).toString("hex");
      const replies = schedulerBus.nc.subscribe(`agents.${nodeId}.stack-replies.${replyId}`, { max: 1 });
      const askedAtMs = BigInt(Date.now() - ageMs);
      const request = await signStackRequest(signer, signedFor, {
        jobId,
        attempt,
        askedAtMs,
        logAs,
        replyId,
      });
      schedulerBus.nc.publish(`agents.${nodeId}.stacks`, request);
      const silence = setTimeout(
        () => replies.unsubscribe(),
        signedFor === nodeId && ageMs === 0 ? 120_000 : 1_000,
      );
      for await (const { data } of replies) {
        clearTimeout(silence);
        return fromBinary(workeragent.StackReplySchema, data);
      }
      return undefined;
    },
    async forge(target, value) {
      await declareStream(trackingBus, eventStreamSpec("tracking"));
      const subject = `trainyard.default.tracking.forged.forged.v1.${target}`;
      const { stream, seq } = await trackingBus.publish(subject, value, { msgId: newId("evt") });
      const before = await desired.get(`node.${target}`);
      trackingBus.nc.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify({ seq }), {
        reply: `$KV.${buckets.desired}.node.${target}`,
      });
      await waitFor("the forged value to stand there", async () => {
        const now = await desired.get(`node.${target}`);
        return now !== null && now.revision !== before?.revision && Buffer.from(value).equals(now.value);
      });
    },
    async signedEmpty(service, target) {
      const key = await createSigner(platform.serviceEnv(service).TRAINYARD_KEY_FILE ?? "");
      const state = create(workeragent.NodeDesiredStateSchema, {
        protocolVersion: 1,
        nodeId: target,
        leaderEpoch: epoch + 1n,
        generation: 1n,
      });
      return signDesiredState({ ...key, kid: "scheduler" }, state);
    },
    tellFollowed: ({ runId }) => tellFollowed(trackingBus, runId),
    removeDesired: () => desired.purge(`node.${nodeId}`),
    status: ({ jobId, attempt }) =>
      heartbeats.at(-1)?.attempts.find((one) => one.jobId === jobId && one.attempt === attempt),
    reaches: (of, phase, timeoutMs = 120_000) =>
      waitFor(
        `${of.jobId} to be ${phase}`,
        () => {
          const status = node.status(of);
          if (status?.phase === workeragent.AttemptPhase[phase]) return status;
          const text =
            status === undefined
              ? "unknown"
              : `${workeragent.AttemptPhase[status.phase]} ${status.failureMessage}`;
          throw new Error(`it is ${text}`);
        },
        { timeoutMs },
      ),
    attemptDir: ({ jobId, attempt }) => join(node.agentDir, "attempts", `${jobId}-${attempt}`),
    bundle: (files) => storeBundle(blobs, files),
    async assignment({ script, ranks = 1, torch = false, spec = {}, files = {}, more = {} }) {
      const digest = await storeBundle(blobs, { "train.py": script, ...files });
      return create(workeragent.AssignmentSchema, {
        jobId: newId("job"),
        runId: newId("run"),
        project: "default",
        attempt: 1,
        action: workeragent.AssignmentAction.RUN,
        worldSize: ranks,
        ranks: Array.from({ length: ranks }, (_, rank) => ({ rank, localRank: rank, slots: [rank] })),
        groupCount: 1,
        graceMs: 2_000,
        ...more,
        spec: {
          name: "test",
          code: { digest },
          entrypoint: ["train.py"],
          framework: torch ? scheduler.Framework.TORCH : scheduler.Framework.PROCESS,
          ...spec,
        },
      });
    },
  };
  return node;
}

async function busOf(platform: Platform, service: "scheduler" | "tracking"): Promise<Bus> {
  const env = platform.serviceEnv(service);
  const seed = readFileSync(env.TRAINYARD_NATS_SEED_FILE ?? "", "utf8");
  const bus = await connectBus({
    servers: platform.natsUrl,
    name: service,
    seed,
    logger: testLogger(service),
  });
  atFileEnd(() => bus.close());
  return bus;
}

async function storeBundle(blobs: BlobStore, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = tempDir("bundle");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const file = join(tempDir("bundle"), "code.tgz");
  await createTar({ file, cwd: folder, gzip: true }, Object.keys(files));
  return (await blobs.put(readFileSync(file))).digest;
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
