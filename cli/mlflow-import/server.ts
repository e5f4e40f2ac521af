import { DomainError } from "@trainyard/domain";
import { z } from "zod";
import {
  experimentsPage,
  filesPage,
  historyPage,
  loggedModelOf,
  loggedModelsPage,
  modelsPage,
  runAnswer,
  runOf,
  runsPage,
  type ServedRun,
  versionsPage,
} from "./answers.ts";
import {
  type LeftOut,
  leftOutReasons,
  type MlflowExperiment,
  type MlflowFile,
  type MlflowLoggedModel,
  type MlflowModel,
  type MlflowPoint,
  type MlflowRun,
  type MlflowSource,
  mlflowTags,
} from "./mlflow-source.ts";
import { doubleOf, wholeOf } from "./numbers.ts";
import { MlflowRest } from "./rest.ts";

const pageSize = 1000;
const historyPageSize = 25_000;
const modelPageSize = 50;
const maxFolders = 100_000;

/** An MLflow server, or anything that speaks its REST interface. */
export class MlflowServer implements MlflowSource {
  readonly #rest: MlflowRest;
  #loggedModelsThere: Promise<boolean> | undefined;

  constructor(url: string, env: Readonly<Record<string, string | undefined>>) {
    this.#rest = new MlflowRest(url, env);
  }

  async *experiments(): AsyncGenerator<MlflowExperiment> {
    const pages = this.#rest.pages("POST", "experiments/search", { max_results: pageSize }, experimentsPage);
    for await (const { experiments } of pages)
      for (const one of experiments) yield { id: one.experiment_id, name: one.name, tags: one.tags };
  }

  async *runs({ id }: MlflowExperiment): AsyncGenerator<MlflowRun> {
    const body = { experiment_ids: [id], max_results: pageSize, order_by: ["attributes.start_time ASC"] };
    for await (const { runs } of this.#rest.pages("POST", "runs/search", body, runsPage))
      for (const run of runs) {
        const whole = (await this.#hasLoggedModels()) ? await this.run(run.info.run_id) : runOf(run);
        if (whole !== undefined) yield whole;
      }
  }

  async run(id: string): Promise<MlflowRun | undefined> {
    try {
      const { run } = await this.#rest.ask("GET", "runs/get", { run_id: id }, z.object({ run: runAnswer }));
      return run.info.lifecycle_stage === "deleted" ? undefined : runOf(run);
    } catch (error) {
      if (error instanceof DomainError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  async *points(run: MlflowRun): AsyncGenerator<MlflowPoint> {
    const { metricKeys } = run as ServedRun; // Only runs that this source gave are asked for.
    for (const key of metricKeys) {
      const query = { run_id: run.id, metric_key: key, max_results: historyPageSize };
      for await (const { metrics } of this.#rest.pages("GET", "metrics/get-history", query, historyPage))
        for (const { value, timestamp, step } of metrics)
          yield { key, timeMs: Number(wholeOf(timestamp)), value: doubleOf(value), step: wholeOf(step) };
    }
  }

  files({ id }: MlflowRun): AsyncIterable<MlflowFile> {
    return this.#filesBelow("artifacts/list", "path", { run_id: id }, (path) =>
      this.#rest.bytes(`get-artifact?${new URLSearchParams({ run_uuid: id, path })}`),
    );
  }

  /** A search of runs leaves out the models that they were given, so where there are any, each run is asked for. */
  #hasLoggedModels(): Promise<boolean> {
    this.#loggedModelsThere ??= (async () => {
      for await (const experiment of this.experiments())
        for await (const _ of this.loggedModels(experiment)) return true;
      return false;
    })();
    return this.#loggedModelsThere;
  }

  async *loggedModels({ id }: MlflowExperiment): AsyncGenerator<MlflowLoggedModel> {
    const body = { experiment_ids: [id], max_results: modelPageSize };
    try {
      for await (const { models } of this.#rest.pages("POST", "logged-models/search", body, loggedModelsPage))
        for (const model of models) yield loggedModelOf(model);
    } catch (error) {
      // A server of before MLflow 3 has none.
      if (!isMissing(error)) throw error;
    }
  }

  modelFiles({ id }: MlflowLoggedModel): AsyncIterable<MlflowFile> {
    const artifacts = `mlflow/logged-models/${id}/artifacts`;
    const folders = `logged-models/${id}/artifacts/directories`;
    return this.#filesBelow(folders, "artifact_directory_path", {}, (path) =>
      this.#rest.bytes(
        `ajax-api/2.0/${artifacts}/files?${new URLSearchParams({ artifact_file_path: path })}`,
      ),
    );
  }

  async *models(): AsyncGenerator<MlflowModel> {
    for await (const page of this.#rest.pages(
      "GET",
      "registered-models/search",
      { max_results: 100 },
      modelsPage,
    )) {
      for (const { name, description, tags: words, aliases } of page.registered_models) {
        const filter = `name='${name.replaceAll("'", "\\'")}'`;
        const versions: MlflowModel["versions"][number][] = [];
        const query = { filter, max_results: pageSize };
        for await (const { model_versions } of this.#rest.pages(
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
    const filter = `tags.\`${mlflowTags.prompt}\` = 'true'`;
    let count = 0;
    try {
      const query = { filter, max_results: 100 };
      for await (const page of this.#rest.pages("GET", "registered-models/search", query, modelsPage))
        count += page.registered_models.length;
    } catch (error) {
      // A server that keeps none does not know what is asked for.
      if (!isMissing(error)) throw error;
    }
    return count === 0 ? [] : [{ what: "prompts", why: leftOutReasons.prompts, count }];
  }

  async close(): Promise<void> {}

  /** The files below the root of what `owner` names, folder by folder. */
  async *#filesBelow(
    listing: string,
    pathField: string,
    owner: Readonly<Record<string, string>>,
    download: (path: string) => AsyncIterable<Uint8Array>,
  ): AsyncGenerator<MlflowFile> {
    const folders = [""];
    for (let at = 0; at < folders.length && at < maxFolders; at += 1) {
      const path = folders[at] ?? "";
      const query = { ...owner, ...(path === "" ? {} : { [pathField]: path }) };
      for await (const { files } of this.#rest.pages("GET", listing, query, filesPage)) {
        for (const file of files) {
          if (file.is_dir) folders.push(file.path);
          else yield { path: file.path, content: { download: () => download(file.path) } };
        }
      }
    }
  }
}

/** Whether a server says that it has no such thing. */
function isMissing(error: unknown): boolean {
  const codes: readonly string[] = ["not_found", "failed_precondition"];
  return error instanceof DomainError && error.reason === "MLFLOW_REFUSED" && codes.includes(error.code);
}
