import { tracking } from "@trainyard/contracts";
import { double, integer, required, text } from "../domain/fields.ts";
import { assertPoint, columnsOf, type MetricPoint } from "../domain/metric-points.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { logModelMetrics } from "../registry/model-metrics.ts";
import { changing } from "./run-words.ts";

const { logMetrics } = tracking.MetricService.method;

/** `mlflow/runs/log-metric`. */
export const metrics: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/log-metric",
    {
      run_id: required(text),
      key: required(text),
      value: required(double),
      timestamp: required(integer),
      step: integer,
      model_id: text,
      dataset_name: text,
      dataset_digest: text,
    },
    async ({ run_id: runId, key, value, timestamp, step = 0, ...of }, call) => {
      const point = { key, value, timestamp, step };
      assertPoint(point, "");
      await storePoints(call, runId, [point]);
      if (of.model_id) await logModelMetrics(call, runId, [{ ...point, ...of }]);
      return {};
    },
  ),
];

export function storePoints(
  call: MlflowCall,
  runId: string,
  points: readonly MetricPoint[],
): Promise<unknown> {
  const columns = columnsOf(points);
  const steps = columns.steps.map(BigInt);
  return changing(runId, () =>
    // MLflow's clients repeat a call whose answer was lost, have no id for it, and expect equal points to be kept once.
    call.rpc(logMetrics, { namedByPoints: true, runId, points: { ...columns, steps } }),
  );
}
