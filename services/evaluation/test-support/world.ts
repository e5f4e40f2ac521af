import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { openBlobStore } from "@trainyard/blob";
import { evaluation, registry, scheduler, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import type { Platform } from "@trainyard/local";
import { build as buildRegistry, parseRegistryConfig } from "@trainyard/registry";
import { build as buildScheduler, parseSchedulerConfig } from "@trainyard/scheduler";
import { type App, createSigner, type Role, rpcClient } from "@trainyard/service";
import { atFileEnd, testLogger, testPlatform, waitFor } from "@trainyard/testing";
import { build, parseEvaluationConfig } from "../index.ts";
import { startDatasets } from "./peers.ts";
import { busOf, publishEvent } from "./publish.ts";

export const suiteYaml = (name: string, gates: readonly string[], dataset = "digits") =>
  `apiVersion: trainyard/v1\nkind: EvaluationSuite\nname: ${name}\ndataset: ${dataset}\ntarget: label\ngates:\n${gates.map((gate) => `  - ${gate}\n`).join("")}`;

export const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** How an evaluation's run ended, where it differs from a success. */
export interface RunEndInit {
  readonly id?: string;
  readonly jobId?: string;
  readonly status?: tracking.RunStatus;
  readonly failure?: { readonly message: string; readonly tracebackTail: string };
}

type Api = Client<typeof evaluation.EvaluationService>;

/** A platform with the real scheduler, registry and evaluation; tracking's events are published by the test, as tracking would. */
export interface World {
  readonly platform: Platform;
  readonly api: Api;
  readonly jobs: Client<typeof scheduler.SchedulerService>;
  readonly models: Client<typeof registry.RegistryService>;
  as(...roles: Role[]): Promise<Api>;
  startScheduler(): Promise<App>;
  /** `env` goes over the platform's own: a second replica needs another port. */
  startEvaluation(env?: Readonly<Record<string, string>>): Promise<App>;
  /** Puts content into the blob store; its digest. */
  put(content: string | Uint8Array): Promise<string>;
  apply(suite: string, gates: readonly string[], dataset?: string): Promise<void>;
  /** Tells that a training run has ended, which makes a model version; waits for its evaluation. */
  trained(model: string, suite: string): Promise<evaluation.Evaluation>;
  registered(version: MessageInitShape<typeof registry.ModelVersionSchema>): Promise<void>;
  running(id: string): Promise<evaluation.Evaluation>;
  ended(id: string): Promise<evaluation.Evaluation>;
  /** Tells that an evaluation's run has ended. */
  measured(of: evaluation.Evaluation, run: RunEndInit, report?: string): Promise<void>;
  readonly gateway: Awaited<ReturnType<typeof busOf>>;
}

export async function createWorld(): Promise<World> {
  const { platform } = await testPlatform();
  const [fromTracking, fromRegistry, gateway] = await Promise.all([
    busOf(platform, "tracking"),
    busOf(platform, "registry"),
    busOf(platform, "gateway"),
  ]);
  const blobs = openBlobStore(platform.serviceEnv("evaluation").TRAINYARD_BLOB_URL ?? "");
  const modelDigest = (await blobs.put(new TextEncoder().encode("a model"))).digest;
  const datasets = await startDatasets(platform);
  atFileEnd(() => datasets.stop(AbortSignal.timeout(1_000)));
  const started = async (app: App) => {
    atFileEnd(() => app.stop().catch(() => undefined));
    await app.start();
    return app;
  };
  const signer = await createSigner(platform.serviceEnv("gateway").TRAINYARD_KEY_FILE ?? "");
  const tokenOf = (roles: readonly Role[]) => () =>
    signer.sign({ kind: "user", name: "ada", roles, project: "default" }, 60_000);
  const as = async (...roles: Role[]) =>
    rpcClient(evaluation.EvaluationService, platform.url("evaluation"), { token: tokenOf(roles) });
  const api = await as("submitter");
  const reached = (what: string, id: string, states: readonly evaluation.EvaluationState[]) =>
    waitFor(`${id} ${what}`, async () => {
      const { evaluation: found } = await api.getEvaluation({ evaluationId: id });
      return found !== undefined && states.includes(found.state) ? found : undefined;
    });
  const { RUNNING, PASSED, FAILED, ERRORED } = evaluation.EvaluationState;

  const world: World = {
    platform,
    api,
    as,
    gateway,
    jobs: rpcClient(scheduler.SchedulerService, platform.url("scheduler"), { token: tokenOf(["viewer"]) }),
    models: rpcClient(registry.RegistryService, platform.url("registry"), { token: tokenOf(["submitter"]) }),
    startScheduler: async () => {
      const config = parseSchedulerConfig(platform.serviceEnv("scheduler"));
      return started(await buildScheduler(config, { logger: testLogger("scheduler") }));
    },
    startEvaluation: async (env = {}) => {
      const config = parseEvaluationConfig({ ...platform.serviceEnv("evaluation"), ...env });
      return started(await build(config, { logger: testLogger("evaluation") }));
    },
    async put(content) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      return (await blobs.put(bytes)).digest;
    },
    async apply(suite, gates, dataset) {
      await api.applySuite({ requestId: newId("req"), suiteYaml: suiteYaml(suite, gates, dataset) });
    },
    async trained(model, suite) {
      const run = {
        id: newId("run"),
        project: "default",
        jobId: newId("job"),
        status: tracking.RunStatus.COMPLETED,
        spec: { kind: scheduler.JobKind.TRAINING, model: { name: model, suite } },
        createdBy: "user:ada",
        traceparent,
        model: { name: "model", framework: "torch", files: [{ path: "model.pt2", digest: modelDigest }] },
      };
      await publishEvent(
        fromTracking,
        tracking.RunEndedSchema,
        run.id,
        create(tracking.RunEndedSchema, { run }),
      );
      return waitFor(`an evaluation of ${model}`, async () => {
        const { evaluations } = await api.listEvaluations({ model });
        return evaluations[0];
      });
    },
    async registered(version) {
      const files = [{ path: "model.pt2", digest: modelDigest }];
      const modelVersion = { project: "default", files, ...version };
      const data = create(registry.ModelVersionCreatedSchema, { modelVersion });
      await publishEvent(fromRegistry, registry.ModelVersionCreatedSchema, newId("model"), data);
    },
    running: (id) => reached("running", id, [RUNNING]),
    ended: (id) => reached("ended", id, [PASSED, FAILED, ERRORED]),
    async measured(of, run, report) {
      const id = of.runId || newId("run");
      const whole = {
        id,
        project: "default",
        jobId: of.jobId || newId("job"),
        status: tracking.RunStatus.COMPLETED,
        spec: { kind: scheduler.JobKind.EVALUATION, labels: { evaluation: of.id } },
        dataset: { version: "1.2.3" },
        ...run,
      };
      const artifacts = report === undefined ? [] : [{ path: "evaluation.json", digest: report }];
      const data = create(tracking.RunEndedSchema, { run: whole, artifacts });
      await publishEvent(fromTracking, tracking.RunEndedSchema, id, data);
    },
  };
  const config = parseRegistryConfig(platform.serviceEnv("registry"));
  await started(await buildRegistry(config, { logger: testLogger("registry") }));
  return world;
}
