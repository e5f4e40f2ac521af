import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataset, evaluation, type registry, scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { type FlowClients, flowClients, insist } from "./clients.ts";
import { bundle, digitsDir, digitsParquet, digitsSpec, type ShortTraining } from "./digits.ts";
import type { Fleet } from "./fleet.ts";

/** What the flow has come to; fields appear as they are known. */
export interface FlowProgress {
  jobId?: string;
  runId?: string;
  modelVersionId?: string;
  evaluationId?: string;
}

export interface Flow {
  readonly user: FlowClients;
  readonly approver: FlowClients;
  readonly progress: FlowProgress;
  /** Registers data and suite: what has to be there before a job can be submitted. */
  prepare(): Promise<void>;
  submit(): Promise<scheduler.Job>;
  /** Waits until the job is final. */
  trained(): Promise<scheduler.Job>;
  /** Waits for the model version and its evaluation's result. */
  evaluated(): Promise<registry.ModelVersion>;
  approve(): Promise<registry.ModelVersion>;
}

/** Gates low enough for the short training of a test; what good gates are is the example's matter. */
const suiteYaml = async () =>
  (await readFile(join(digitsDir, "suite.yaml"), "utf8"))
    .replace(/(metric: accuracy.*value: )[\d.]+/, "$10.3")
    .replace(/(metric: latency_p95_ms.*value: )[\d.]+/, "$11000")
    .replace(/(metric: recall.*value: )[\d.]+/, "$10");

const training: ShortTraining = { epochs: 3, stepDelayMs: 40, checkpointEverySteps: 15 };

/** From data to champion against a fleet, by calls that are repeated while the platform is away. */
export function digitsFlow(fleet: Fleet, dir: string, short: ShortTraining = training): Flow {
  const url = fleet.platform.url("gateway");
  const user = flowClients(url, fleet.tokens.submitter);
  const approver = flowClients(url, fleet.tokens.approver);
  const progress: FlowProgress = {};
  const ids = { register: randomUUID(), suite: randomUUID(), submit: randomUUID(), approve: randomUUID() };

  return {
    user,
    approver,
    progress,

    async prepare() {
      const sourceDigest = await insist("upload of the data", async () =>
        user.upload(await digitsParquet(dir)),
      );
      const contractYaml = await readFile(join(digitsDir, "contract.yaml"), "utf8");
      await insist("dataset registration", () =>
        user.dataset.registerDatasetVersion(
          {
            requestId: ids.register,
            name: "digits",
            sourceDigest,
            format: dataset.FileFormat.PARQUET,
            contractYaml,
          },
          { timeoutMs: 60_000 },
        ),
      );
      const yaml = await suiteYaml();
      await insist("suite", () => user.evaluation.applySuite({ requestId: ids.suite, suiteYaml: yaml }));
    },

    async submit() {
      const code = await bundle(digitsDir, ["train.py"]);
      const digest = await insist("upload of the code", () => user.upload(code));
      const spec = digitsSpec(digest, code.length, short);
      const { job } = await insist("submit", () => user.scheduler.submitJob({ requestId: ids.submit, spec }));
      if (job === undefined) throw new Error("the accepted job is missing in the answer");
      progress.jobId = job.id;
      progress.runId = job.runId;
      return job;
    },

    async trained() {
      return waitFor(
        "the job's end",
        async () => {
          const { job } = await user.scheduler.getJob({ jobId: progress.jobId ?? "" });
          return job !== undefined && job.state >= scheduler.JobState.SUCCEEDED ? job : undefined;
        },
        { timeoutMs: 300_000, intervalMs: 100 },
      );
    },

    async evaluated() {
      return waitFor(
        "the evaluation's result on the model version",
        async () => {
          const { modelVersions } = await user.registry.listModelVersions({ runId: progress.runId ?? "" });
          const version = modelVersions[0];
          if (version !== undefined) progress.modelVersionId = version.id;
          const { evaluations } = await user.evaluation.listEvaluations({
            modelVersionId: version?.id ?? "none",
          });
          const running = evaluations.find(({ state }) => state === evaluation.EvaluationState.RUNNING);
          if (running !== undefined) progress.evaluationId = running.id;
          return version?.gate === undefined ? undefined : version;
        },
        { timeoutMs: 300_000, intervalMs: 100 },
      );
    },

    async approve() {
      const request = {
        requestId: ids.approve,
        model: "digits",
        version: progress.modelVersionId ?? "",
        comment: "good",
      };
      const { modelVersion } = await insist("approval", () => approver.registry.approveModelVersion(request));
      if (modelVersion === undefined) throw new Error("the approved version is missing in the answer");
      return modelVersion;
    },
  };
}
