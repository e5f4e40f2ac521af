import { double, integer, list, required, text } from "../domain/fields.ts";
import { assertBatchLimit, assertPoints, type MetricPoint } from "../domain/metric-points.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { assertParamKey, assertRunId, assertTagKey, cutAll, limits } from "../domain/names.ts";
import { type Endpoint, endpoint } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { logModelMetrics } from "../registry/model-metrics.ts";
import { lifecycleStage } from "./experiment-json.ts";
import { tagMap, tags } from "./experiments.ts";
import { storePoints } from "./metrics.ts";
import { storeParams } from "./params.ts";
import { setTags } from "./run-tags.ts";
import { findRun, inactiveRun } from "./run-words.ts";

const points = list({
  key: text,
  value: double,
  timestamp: integer,
  step: integer,
  model_id: text,
  dataset_name: text,
  dataset_digest: text,
});

/** `mlflow/runs/log-batch`: parameters, then metrics, then tags, as MLflow does; what came before a refusal stays. */
export const batch: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/log-batch",
    { run_id: required(text), metrics: points, params: tags, tags },
    async ({ run_id: runId, metrics = [], params = [], tags: given = [] }, call) => {
      const checked = metrics.map(pointOf);
      for (const [index, { key }] of params.entries()) assertGiven(key, `params[${index}].key`);
      for (const [index, { key }] of given.entries()) assertGiven(key, `tags[${index}].key`);
      assertRunId(runId);
      assertPoints(checked);
      for (const [index, { key = "" }] of params.entries()) assertParamKey(key, `params[${index}].key`);
      for (const [index, { key = "" }] of given.entries()) assertTagKey(key, `tags[${index}].key`);
      assertLimits(metrics.length, params.length, given.length);
      assertUniqueParams(params.map(({ key = "" }) => key));
      if (metrics.length + params.length + given.length === 0) {
        const run = await findRun(call, runId);
        if (lifecycleStage(run.lifecycle) !== "active") throw inactiveRun(runId);
      }
      if (params.length > 0)
        await inWords(paramWords(runId), () =>
          storeParams(call, runId, cutAll(tagMap(params), limits.paramValue)),
        );
      if (checked.length > 0) await storePoints(call, runId, checked);
      const ofModels = metrics.flatMap((metric, index) => {
        const point = checked[index];
        return metric.model_id && point !== undefined
          ? [{ ...metric, ...point, model_id: metric.model_id }]
          : [];
      });
      if (ofModels.length > 0) await logModelMetrics(call, runId, ofModels);
      if (given.length > 0) await setTags(call, runId, cutAll(tagMap(given), limits.tagValue));
      return {};
    },
  ),
];

interface GivenPoint {
  readonly key: string | undefined;
  readonly value: number | undefined;
  readonly timestamp: number | undefined;
  readonly step: number | undefined;
}

function pointOf({ key, value, timestamp, step = 0 }: GivenPoint, index: number): MetricPoint {
  if (key === undefined || key === "") throw missing(`metrics[${index}].key`);
  if (value === undefined) throw missing(`metrics[${index}].value`);
  if (timestamp === undefined) throw missing(`metrics[${index}].timestamp`);
  return { key, value, timestamp, step };
}

function assertGiven(value: string | undefined, path: string): void {
  if (value === undefined || value === "") throw missing(path);
}

function missing(path: string) {
  return invalidParameter(
    `Missing value for required parameter '${path}'. See the API docs for more information about request parameters.`,
  );
}

function assertLimits(metrics: number, params: number, given: number): void {
  assertBatchLimit("metrics", limits.batchMetrics, metrics);
  assertBatchLimit("params", limits.batchParams, params);
  assertBatchLimit("tags", limits.batchTags, given);
  assertBatchLimit("metrics, params, and tags", limits.batchEntities, metrics + params + given);
}

function assertUniqueParams(keys: readonly string[]): void {
  const repeated = keys.filter((key, index) => keys.indexOf(key) !== index);
  if (repeated.length === 0) return;
  throw invalidParameter(
    `Duplicate parameter keys have been submitted: [${repeated.map((key) => `'${key}'`).join(", ")}]. Please ensure the request contains only one param value per param key.`,
  );
}

function paramWords(runId: string) {
  return {
    PARAM_DIFFERS: (_: string, { key, value, given }: Readonly<Record<string, string>>) =>
      invalidParameter(
        `Changing param values is not allowed. Params were already logged='[{'key': '${key}', 'old_value': '${value}', 'new_value': '${given}'}]' for run ID='${runId}'.`,
      ),
  };
}
