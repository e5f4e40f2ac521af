import { dirname, resolve } from "node:path";
import { type ArtifactPlaces, artifactFiles } from "./artifact-place.ts";
import { loggedModelsOf, modelLinksOf } from "./database-logged-models.ts";
import {
  type LeftOut,
  leftOutReasons,
  type MlflowExperiment,
  type MlflowFile,
  type MlflowInput,
  type MlflowLoggedModel,
  type MlflowModel,
  type MlflowPoint,
  type MlflowRun,
  type MlflowSource,
  type MlflowStatus,
} from "./mlflow-source.ts";
import { doubleOf, timeOf, wholeOf } from "./numbers.ts";
import { type Row, Sqlite, textOf } from "./sqlite.ts";

const statuses = new Set<string>(["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]);

/** A SQLite database that MLflow's server wrote, usually called mlflow.db. It is opened for reading only. */
export class MlflowDatabase implements MlflowSource {
  readonly #database: Sqlite;
  readonly #places: ArtifactPlaces;

  constructor(file: string, served: string | undefined) {
    this.#database = new Sqlite(file);
    this.#places = { base: dirname(resolve(file)), served };
  }

  async *experiments(): AsyncGenerator<MlflowExperiment> {
    const query =
      "SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY experiment_id";
    for (const row of this.#database.rows(query)) {
      const id = String(row.experiment_id);
      yield {
        id,
        name: String(row.name),
        tags: this.#database.texts("experiment_tags", "experiment_id", row.experiment_id),
      };
    }
  }

  async *runs({ id }: MlflowExperiment): AsyncGenerator<MlflowRun> {
    const query =
      "SELECT * FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY start_time, run_uuid";
    for (const row of this.#database.rows(query, Number(id))) yield this.#run(row);
  }

  async run(id: string): Promise<MlflowRun | undefined> {
    const [row] = this.#database.rows(
      "SELECT * FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'",
      id,
    );
    return row === undefined ? undefined : this.#run(row);
  }

  async *points(run: MlflowRun): AsyncGenerator<MlflowPoint> {
    const query =
      "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, timestamp, step, value";
    for (const { key, value, timestamp, step, is_nan } of this.#database.each(query, run.id)) {
      yield {
        key: String(key),
        timeMs: Number(wholeOf(timestamp)),
        step: wholeOf(step),
        value: Number(is_nan) === 1 ? Number.NaN : doubleOf(value),
      };
    }
  }

  files(run: MlflowRun): AsyncIterable<MlflowFile> {
    return artifactFiles(run.artifactUri, this.#places);
  }

  async *loggedModels({ id }: MlflowExperiment): AsyncGenerator<MlflowLoggedModel> {
    yield* loggedModelsOf(this.#database, id);
  }

  modelFiles(model: MlflowLoggedModel): AsyncIterable<MlflowFile> {
    return artifactFiles(model.artifactUri, this.#places);
  }

  async *models(): AsyncGenerator<MlflowModel> {
    for (const row of this.#database.rows("SELECT name, description FROM registered_models ORDER BY name")) {
      const name = String(row.name);
      const aliases = this.#database.rows(
        "SELECT alias, version FROM registered_model_aliases WHERE name = ?",
        name,
      );
      const versions = this.#database.rows(
        "SELECT * FROM model_versions WHERE name = ? AND current_stage <> 'Deleted_Internal' ORDER BY version",
        name,
      );
      yield {
        name,
        description: textOf(row.description),
        tags: this.#database.texts("registered_model_tags", "name", name),
        aliases: Object.fromEntries(aliases.map((one) => [String(one.alias), Number(one.version)])),
        versions: versions.map((one) => ({
          model: name,
          version: Number(one.version),
          runId: textOf(one.run_id),
          source: textOf(one.storage_location) || textOf(one.source),
          description: textOf(one.description),
          stage: textOf(one.current_stage) || "None",
          tags: Object.fromEntries(
            this.#database
              .rows(
                "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?",
                name,
                Number(one.version),
              )
              .map((tag) => [String(tag.key), textOf(tag.value)]),
          ),
        })),
      };
    }
  }

  async leftOut(): Promise<LeftOut[]> {
    const deleted = "lifecycle_stage <> 'active'";
    const asked = [
      ["experiments", "experiments", deleted, leftOutReasons.deleted],
      ["runs", "runs", deleted, leftOutReasons.deleted],
      ["logged models", "logged_models", deleted, leftOutReasons.deleted],
      ["traces", "trace_info", "true", leftOutReasons.traces],
    ] as const;
    return asked.flatMap(([what, table, where, why]) => {
      const count = this.#database.has(table) ? this.#database.count(table, where) : 0;
      return count === 0 ? [] : [{ what, why, count }];
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #run(row: Row): MlflowRun {
    const id = String(row.run_uuid);
    const status = String(row.status);
    return {
      id,
      experimentId: String(row.experiment_id),
      name: textOf(row.name) || id,
      // MLflow's own five; a database with any other is not MLflow's.
      status: statuses.has(status) ? (status as MlflowStatus) : "FAILED",
      startTimeMs: timeOf(row.start_time),
      endTimeMs: timeOf(row.end_time),
      params: this.#database.texts("params", "run_uuid", id),
      tags: this.#database.texts("tags", "run_uuid", id),
      inputs: this.#inputs(id),
      models: modelLinksOf(this.#database, id),
      artifactUri: textOf(row.artifact_uri),
    };
  }

  #inputs(runId: string): MlflowInput[] {
    // Of before MLflow 2.4 there are no inputs.
    if (!this.#database.has("inputs")) return [];
    const rows = this.#database.rows(
      `SELECT d.*, i.input_uuid FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
       WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = ? ORDER BY d.name, d.digest`,
      runId,
    );
    return rows.map((row) => ({
      name: String(row.name),
      digest: String(row.digest),
      sourceType: textOf(row.dataset_source_type),
      source: textOf(row.dataset_source),
      schema: textOf(row.dataset_schema),
      profile: textOf(row.dataset_profile),
      tags: Object.fromEntries(
        this.#database
          .rows("SELECT name, value FROM input_tags WHERE input_uuid = ?", String(row.input_uuid))
          .map((tag) => [String(tag.name), textOf(tag.value)]),
      ),
    }));
  }
}
