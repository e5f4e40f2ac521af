import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DomainError } from "@trainyard/domain";
import { type ArtifactPlaces, artifactFiles } from "./artifact-place.ts";
import {
  type LeftOut,
  leftOutReasons,
  type MlflowExperiment,
  type MlflowFile,
  type MlflowInput,
  type MlflowModel,
  type MlflowPoint,
  type MlflowRun,
  type MlflowSource,
  type MlflowStatus,
} from "./mlflow-source.ts";
import { doubleOf, timeOf, wholeOf } from "./numbers.ts";

type Row = Readonly<Record<string, unknown>>;

const statuses = new Set<string>(["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]);

/** A SQLite database that MLflow's server wrote, usually called mlflow.db. It is opened for reading only. */
export class MlflowDatabase implements MlflowSource {
  readonly #database: DatabaseSync;
  readonly #places: ArtifactPlaces;

  constructor(file: string, served: string | undefined) {
    this.#database = openDatabase(file);
    this.#places = { base: dirname(resolve(file)), served };
  }

  async *experiments(): AsyncGenerator<MlflowExperiment> {
    const query =
      "SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY experiment_id";
    for (const row of this.#rows(query)) {
      const id = String(row.experiment_id);
      yield {
        id,
        name: String(row.name),
        tags: this.#texts("experiment_tags", "experiment_id", row.experiment_id),
      };
    }
  }

  async *runs({ id }: MlflowExperiment): AsyncGenerator<MlflowRun> {
    const query =
      "SELECT * FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY start_time, run_uuid";
    for (const row of this.#rows(query, Number(id))) yield this.#run(row);
  }

  async run(id: string): Promise<MlflowRun | undefined> {
    const [row] = this.#rows("SELECT * FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'", id);
    return row === undefined ? undefined : this.#run(row);
  }

  async *points(run: MlflowRun): AsyncGenerator<MlflowPoint> {
    const query =
      "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, timestamp, step, value";
    for (const { key, value, timestamp, step, is_nan } of this.#each(query, run.id)) {
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

  async *models(): AsyncGenerator<MlflowModel> {
    for (const row of this.#rows("SELECT name, description FROM registered_models ORDER BY name")) {
      const name = String(row.name);
      const aliases = this.#rows("SELECT alias, version FROM registered_model_aliases WHERE name = ?", name);
      const versions = this.#rows(
        "SELECT * FROM model_versions WHERE name = ? AND current_stage <> 'Deleted_Internal' ORDER BY version",
        name,
      );
      yield {
        name,
        description: textOf(row.description),
        tags: this.#texts("registered_model_tags", "name", name),
        aliases: Object.fromEntries(aliases.map((one) => [String(one.alias), Number(one.version)])),
        versions: versions.map((one) => ({
          model: name,
          version: Number(one.version),
          runId: textOf(one.run_id),
          source: textOf(one.storage_location) || textOf(one.source),
          description: textOf(one.description),
          stage: textOf(one.current_stage) || "None",
          tags: Object.fromEntries(
            this.#rows(
              "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?",
              name,
              Number(one.version),
            ).map((tag) => [String(tag.key), textOf(tag.value)]),
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
      ["logged models", "logged_models", "lifecycle_stage = 'active'", leftOutReasons.loggedModels],
      ["traces", "trace_info", "true", leftOutReasons.traces],
    ] as const;
    return asked.flatMap(([what, table, where, why]) => {
      const count = this.#has(table) ? this.#count(table, where) : 0;
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
      params: this.#texts("params", "run_uuid", id),
      tags: this.#texts("tags", "run_uuid", id),
      inputs: this.#inputs(id),
      artifactUri: textOf(row.artifact_uri),
    };
  }

  #inputs(runId: string): MlflowInput[] {
    // Of before MLflow 2.4 there are no inputs.
    if (!this.#has("inputs")) return [];
    const rows = this.#rows(
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
        this.#rows("SELECT name, value FROM input_tags WHERE input_uuid = ?", String(row.input_uuid)).map(
          (tag) => [String(tag.name), textOf(tag.value)],
        ),
      ),
    }));
  }

  #has(table: string): boolean {
    return this.#rows("SELECT 1 FROM sqlite_master WHERE name = ?", table).length > 0;
  }

  #count(table: string, where: string): number {
    return Number(this.#rows(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)[0]?.n ?? 0);
  }

  #texts(table: string, column: string, of: unknown): Record<string, string> {
    const value = typeof of === "bigint" ? of : String(of);
    const rows = this.#rows(`SELECT key, value FROM ${table} WHERE ${column} = ?`, value);
    return Object.fromEntries(rows.map((row) => [String(row.key), textOf(row.value)]));
  }

  #rows(query: string, ...values: (string | number | bigint)[]): Row[] {
    return [...this.#each(query, ...values)];
  }

  *#each(query: string, ...values: (string | number | bigint)[]): Generator<Row> {
    const statement = this.#database.prepare(query);
    statement.setReadBigInts(true);
    yield* statement.iterate(...values);
  }
}

function openDatabase(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    database.prepare("SELECT run_uuid FROM runs LIMIT 1").all();
    return database;
  } catch (error) {
    throw new DomainError(
      "failed_precondition",
      "MLFLOW_DATABASE_INVALID",
      `${file} is no SQLite database of MLflow: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? "" : String(value);
}
