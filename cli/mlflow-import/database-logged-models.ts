import type { MlflowLoggedModel, MlflowModelLink, MlflowModelPoint } from "./mlflow-source.ts";
import { doubleOf, wholeOf } from "./numbers.ts";
import { type Sqlite, textOf } from "./sqlite.ts";

/** Statuses as MLflow numbers them; any other is of a model that nobody finished. */
const statuses: Readonly<Record<string, MlflowLoggedModel["status"]>> = { 2: "READY", 3: "FAILED" };

/** The logged models of an experiment; none in a database of before MLflow 3. */
export function* loggedModelsOf(database: Sqlite, experimentId: string): Generator<MlflowLoggedModel> {
  if (!database.has("logged_models")) return;
  const query =
    "SELECT * FROM logged_models WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY creation_timestamp_ms, model_id";
  for (const row of database.rows(query, Number(experimentId))) {
    const id = String(row.model_id);
    yield {
      id,
      experimentId,
      name: String(row.name),
      modelType: textOf(row.model_type),
      status: statuses[String(row.status)] ?? "PENDING",
      sourceRunId: textOf(row.source_run_id),
      params: textsOf(database, "param", id),
      tags: textsOf(database, "tag", id),
      metrics: metricsOf(database, id),
      artifactUri: textOf(row.artifact_location),
    };
  }
}

/** The logged models that a run was given and made. */
export function modelLinksOf(database: Sqlite, runId: string): MlflowModelLink[] {
  // Of before MLflow 3 there is neither the table's column nor such a row.
  if (!database.has("logged_models")) return [];
  const query = `SELECT source_type, destination_id, step FROM inputs
     WHERE source_id = ? AND destination_type IN ('MODEL_INPUT', 'MODEL_OUTPUT') ORDER BY destination_type, destination_id`;
  return database.rows(query, runId).map((row) => ({
    modelId: String(row.destination_id),
    output: row.source_type === "RUN_OUTPUT",
    step: wholeOf(row.step),
  }));
}

function metricsOf(database: Sqlite, modelId: string): MlflowModelPoint[] {
  const query =
    "SELECT * FROM logged_model_metrics WHERE model_id = ? ORDER BY metric_name, metric_timestamp_ms, metric_step, run_id";
  return database.rows(query, modelId).map((row) => ({
    key: String(row.metric_name),
    timeMs: Number(wholeOf(row.metric_timestamp_ms)),
    step: wholeOf(row.metric_step),
    value: doubleOf(row.metric_value ?? Number.NaN),
    runId: textOf(row.run_id),
    datasetName: textOf(row.dataset_name),
    datasetDigest: textOf(row.dataset_digest),
  }));
}

function textsOf(database: Sqlite, kind: "param" | "tag", modelId: string): Record<string, string> {
  const query = `SELECT ${kind}_key AS key, ${kind}_value AS value FROM logged_model_${kind}s WHERE model_id = ?`;
  const rows = database.rows(query, modelId);
  return Object.fromEntries(rows.map(({ key, value }) => [String(key), textOf(value)]));
}
