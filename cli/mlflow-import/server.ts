import { Readable } from "node:stream";
import { DomainError, type ErrorCode } from "@trainyard/domain";
import { z } from "zod";
import {
  type LeftOut,
  leftOutReasons,
  type MlflowExperiment,
  type MlflowFile,
  type MlflowModel,
  type MlflowPoint,
  type MlflowRun,
  type MlflowSource,
} from "./mlflow-source.ts";
import { doubleOf, timeOf, wholeOf } from "./numbers.ts";

const tag = z.object({ key: z.string(), value: z.string().default("") });
const tags = z
  .array(tag)
  .default([])
  .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, value])));
const number = z.union([z.string(), z.number()]);
const next = z.string().nullish();

const experimentsPage = z.object({
  experiments: z.array(z.object({ experiment_id: z.string(), name: z.string(), tags })).default([]),
  next_page_token: next,
});
const runAnswer = z.object({
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
    })
    .prefault({}),
});
const runsPage = z.object({ runs: z.array(runAnswer).default([]), next_page_token: next });
const historyPage = z.object({
  metrics: z.array(z.object({ value: number, timestamp: number, step: number.default(0) })).default([]),
  next_page_token: next,
});
const filesPage = z.object({
  files: z.array(z.object({ path: z.string(), is_dir: z.boolean().default(false) })).default([]),
  next_page_token: next,
});
const modelsPage = z.object({
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
const versionsPage = z.object({
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

const loggedModelsPage = z.object({ models: z.array(z.unknown()).default([]), next_page_token: next });

type Run = MlflowRun & { readonly metricKeys: readonly string[] };

const pageSize = 1000;
const historyPageSize = 25_000;
const maxFolders = 100_000;

/** An MLflow server, or anything that speaks its REST interface. */
export class MlflowServer implements MlflowSource {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, env: Readonly<Record<string, string | undefined>>) {
    this.#url = url.replace(/\/+$/, "");
    this.#headers = authorization(env);
  }

  async *experiments(): AsyncGenerator<MlflowExperiment> {
    const pages = this.#pages("POST", "experiments/search", { max_results: pageSize }, experimentsPage);
    for await (const { experiments } of pages)
      for (const one of experiments) yield { id: one.experiment_id, name: one.name, tags: one.tags };
  }

  async *runs({ id }: MlflowExperiment): AsyncGenerator<MlflowRun> {
    const body = { experiment_ids: [id], max_results: pageSize, order_by: ["attributes.start_time ASC"] };
    for await (const { runs } of this.#pages("POST", "runs/search", body, runsPage))
      for (const run of runs) yield runOf(run);
  }

  async run(id: string): Promise<MlflowRun | undefined> {
    try {
      const { run } = await this.#ask("GET", "runs/get", { run_id: id }, z.object({ run: runAnswer }));
      return run.info.lifecycle_stage === "deleted" ? undefined : runOf(run);
    } catch (error) {
      if (error instanceof DomainError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  async *points(run: MlflowRun): AsyncGenerator<MlflowPoint> {
    const { metricKeys } = run as Run; // Only runs that this source gave are asked for.
    for (const key of metricKeys) {
      const query = { run_id: run.id, metric_key: key, max_results: historyPageSize };
      for await (const { metrics } of this.#pages("GET", "metrics/get-history", query, historyPage))
        for (const { value, timestamp, step } of metrics)
          yield { key, timeMs: Number(wholeOf(timestamp)), value: doubleOf(value), step: wholeOf(step) };
    }
  }

  async *files(run: MlflowRun): AsyncGenerator<MlflowFile> {
    const folders = [""];
    for (let at = 0; at < folders.length && at < maxFolders; at += 1) {
      const path = folders[at] ?? "";
      const query = { run_id: run.id, ...(path === "" ? {} : { path }) };
      for await (const { files } of this.#pages("GET", "artifacts/list", query, filesPage)) {
        for (const file of files) {
          if (file.is_dir) folders.push(file.path);
          else yield { path: file.path, content: { download: () => this.#download(run.id, file.path) } };
        }
      }
    }
  }

  async *models(): AsyncGenerator<MlflowModel> {
    for await (const page of this.#pages(
      "GET",
      "registered-models/search",
      { max_results: 100 },
      modelsPage,
    )) {
      for (const { name, description, tags: words, aliases } of page.registered_models) {
        const filter = `name='${name.replaceAll("'", "\\'")}'`;
        const versions: MlflowModel["versions"][number][] = [];
        const query = { filter, max_results: pageSize };
        for await (const { model_versions } of this.#pages(
          "GET",
          "model-versions/search",
          query,
          versionsPage,
        ))
          for (const one of model_versions)
            versions.push({
              model: name,
              version: Number(one.version),
              runId: one.run_id,
              source: one.source,
              description: one.description,
              stage: one.current_stage,
              tags: one.tags,
            });
        yield {
          name,
          description,
          tags: words,
          aliases: Object.fromEntries(aliases.map(({ alias, version }) => [alias, Number(version)])),
          versions: versions.sort((a, b) => a.version - b.version),
        };
      }
    }
  }

  async leftOut(): Promise<LeftOut[]> {
    let count = 0;
    try {
      for await (const { id } of this.experiments()) {
        const query = { experiment_ids: [id], max_results: 50 };
        for await (const { models } of this.#pages("POST", "logged-models/search", query, loggedModelsPage))
          count += models.length;
      }
    } catch (error) {
      // A server of before MLflow 3 has none.
      if (!(error instanceof DomainError) || error.reason !== "MLFLOW_REFUSED") throw error;
    }
    return count === 0 ? [] : [{ what: "logged models", why: leftOutReasons.loggedModels, count }];
  }

  async close(): Promise<void> {}

  async *#download(runId: string, path: string): AsyncGenerator<Uint8Array> {
    const query = new URLSearchParams({ run_uuid: runId, path });
    const answer = await this.#fetch(`${this.#url}/get-artifact?${query}`, {});
    if (answer.body === null) return;
    // A web stream of a response's body gives bytes.
    for await (const chunk of Readable.fromWeb(answer.body)) yield chunk as Uint8Array;
  }

  async *#pages<T extends { readonly next_page_token?: string | null | undefined }>(
    method: "GET" | "POST",
    path: string,
    query: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): AsyncGenerator<T> {
    let token = "";
    do {
      const page = await this.#ask(
        method,
        path,
        token === "" ? query : { ...query, page_token: token },
        schema,
      );
      yield page;
      token = page.next_page_token ?? "";
    } while (token !== "");
  }

  async #ask<T>(
    method: "GET" | "POST",
    path: string,
    query: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const url = `${this.#url}/api/2.0/mlflow/${path}`;
    const words = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
    const answer =
      method === "GET"
        ? await this.#fetch(`${url}?${new URLSearchParams(words)}`, {})
        : await this.#fetch(url, {
            method,
            headers: { "content-type": "application/json" },
            body: JSON.stringify(query),
          });
    const parsed = schema.safeParse(await answer.json());
    if (parsed.success) return parsed.data;
    throw new DomainError(
      "failed_precondition",
      "MLFLOW_ANSWER_INVALID",
      `${url} did not answer as MLflow does: ${z.prettifyError(parsed.error).slice(0, 500)}`,
    );
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const answer = await fetch(url, { ...init, headers: { ...this.#headers, ...init.headers } }).catch(
      (error: unknown) => {
        throw new DomainError(
          "unavailable",
          "MLFLOW_UNREACHABLE",
          `no MLflow server answers at ${this.#url}`,
          {
            cause: error,
          },
        );
      },
    );
    if (answer.ok) return answer;
    const text = (await answer.text()).slice(0, 500);
    throw new DomainError(
      codes[answer.status] ?? "failed_precondition",
      "MLFLOW_REFUSED",
      `${url.split("?")[0]} answered ${answer.status}: ${text}`,
    );
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  500: "unavailable",
  502: "unavailable",
  503: "unavailable",
};

function runOf({ info, data, inputs }: z.infer<typeof runAnswer>): Run {
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
    artifactUri: info.artifact_uri ?? "",
    metricKeys: data.metrics.map(({ key }) => key).sort(),
  };
}

/** As MLflow's own client signs in: by token, else by name and password. */
function authorization(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  if (env.MLFLOW_TRACKING_TOKEN) return { authorization: `Bearer ${env.MLFLOW_TRACKING_TOKEN}` };
  const { MLFLOW_TRACKING_USERNAME: name, MLFLOW_TRACKING_PASSWORD: password } = env;
  if (!name || !password) return {};
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}` };
}
