import { z } from "zod";
import type { MlflowLoggedModel, MlflowRun } from "./mlflow-source.ts";
import { doubleOf, timeOf, wholeOf } from "./numbers.ts";

const tag = z.object({ key: z.string(), value: z.string().default("") });
const tags = z
  .array(tag)
  .default([])
  .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, value])));
const number = z.union([z.string(), z.number()]);
const next = z.string().nullish();

export const experimentsPage = z.object({
  experiments: z.array(z.object({ experiment_id: z.string(), name: z.string(), tags })).default([]),
  next_page_token: next,
});
export const runAnswer = z.object({
  info: z.object({
    run_id: z.string(),
    run_name: z.string().nullish(),
    experiment_id: z.string(),
    status: z.enum(["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]),
    start_time: number.nullish(),
    end_time: number.nullish(),
    artifact_uri: z.string().nullish(),
    lifecycle_stage: z.string().nullish(),
  }),
  data: z
    .object({ metrics: z.array(z.object({ key: z.string() })).default([]), params: tags, tags })
    .prefault({}),
  inputs: z
    .object({
      dataset_inputs: z
        .array(
          z.object({
            tags,
            dataset: z.object({
              name: z.string(),
              digest: z.string(),
              source_type: z.string().default(""),
              source: z.string().default(""),
              schema: z.string().default(""),
              profile: z.string().default(""),
            }),
          }),
        )
        .default([]),
      model_inputs: z.array(z.object({ model_id: z.string() })).default([]),
    })
    .prefault({}),
  outputs: z
    .object({
      model_outputs: z.array(z.object({ model_id: z.string(), step: number.default(0) })).default([]),
    })
    .prefault({}),
});
export const runsPage = z.object({ runs: z.array(runAnswer).default([]), next_page_token: next });
export const historyPage = z.object({
  metrics: z.array(z.object({ value: number, timestamp: number, step: number.default(0) })).default([]),
  next_page_token: next,
});
export const filesPage = z.object({
  files: z.array(z.object({ path: z.string(), is_dir: z.boolean().default(false) })).default([]),
  next_page_token: next,
});
export const modelsPage = z.object({
  registered_models: z
    .array(
      z.object({
        name: z.string(),
        description: z.string().default(""),
        tags,
        aliases: z.array(z.object({ alias: z.string(), version: number })).default([]),
      }),
    )
    .default([]),
  next_page_token: next,
});
export const versionsPage = z.object({
  model_versions: z
    .array(
      z.object({
        version: number,
        run_id: z.string().default(""),
        source: z.string().default(""),
        description: z.string().default(""),
        current_stage: z.string().default("None"),
        tags,
      }),
    )
    .default([]),
  next_page_token: next,
});

const loggedModelAnswer = z.object({
  info: z.object({
    model_id: z.string(),
    experiment_id: z.string(),
    name: z.string().default(""),
    model_type: z.string().default(""),
    status: z.string().default(""),
    source_run_id: z.string().default(""),
    artifact_uri: z.string().default(""),
    tags,
  }),
  data: z
    .object({
      params: tags,
      metrics: z
        .array(
          z.object({
            key: z.string(),
            value: number,
            timestamp: number,
            step: number.default(0),
            run_id: z.string().default(""),
            dataset_name: z.string().default(""),
            dataset_digest: z.string().default(""),
          }),
        )
        .default([]),
    })
    .prefault({}),
});
export const loggedModelsPage = z.object({
  models: z.array(loggedModelAnswer).default([]),
  next_page_token: next,
});

/** A run that knows the names of its metrics, which a server is asked for one by one. */
export type ServedRun = MlflowRun & { readonly metricKeys: readonly string[] };

/** A run as a server answers with it. */
export function runOf({ info, data, inputs, outputs }: z.infer<typeof runAnswer>): ServedRun {
  return {
    id: info.run_id,
    experimentId: info.experiment_id,
    name: info.run_name ?? info.run_id,
    status: info.status,
    startTimeMs: timeOf(info.start_time),
    endTimeMs: timeOf(info.end_time),
    params: data.params,
    tags: data.tags,
    inputs: inputs.dataset_inputs.map(({ tags: words, dataset }) => ({
      name: dataset.name,
      digest: dataset.digest,
      sourceType: dataset.source_type,
      source: dataset.source,
      schema: dataset.schema,
      profile: dataset.profile,
      tags: words,
    })),
    models: [
      ...inputs.model_inputs.map(({ model_id: modelId }) => ({ modelId, output: false, step: 0n })),
      ...outputs.model_outputs.map(({ model_id: modelId, step }) => ({
        modelId,
        output: true,
        step: wholeOf(step),
      })),
    ],
    artifactUri: info.artifact_uri ?? "",
    metricKeys: data.metrics.map(({ key }) => key).sort(),
  };
}

/** A logged model as a server answers with it. */
export function loggedModelOf({ info, data }: z.infer<typeof loggedModelAnswer>): MlflowLoggedModel {
  return {
    id: info.model_id,
    experimentId: info.experiment_id,
    name: info.name,
    modelType: info.model_type,
    status: modelStatuses[info.status] ?? "PENDING",
    sourceRunId: info.source_run_id,
    params: data.params,
    tags: info.tags,
    metrics: data.metrics.map(({ key, value, timestamp, step, ...of }) => ({
      key,
      value: doubleOf(value),
      timeMs: Number(wholeOf(timestamp)),
      step: wholeOf(step),
      runId: of.run_id,
      datasetName: of.dataset_name,
      datasetDigest: of.dataset_digest,
    })),
    artifactUri: info.artifact_uri,
  };
}

const modelStatuses: Readonly<Record<string, MlflowLoggedModel["status"]>> = {
  LOGGED_MODEL_READY: "READY",
  LOGGED_MODEL_UPLOAD_FAILED: "FAILED",
};
