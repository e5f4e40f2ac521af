import { registry } from "@trainyard/contracts";
import type { MetricPoint } from "../domain/metric-points.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { modelWords } from "./logged-model-words.ts";

const { logModelMetrics: log } = registry.LoggedModelService.method;

interface ModelPoint extends MetricPoint {
  readonly model_id: string | undefined;
  readonly dataset_name: string | undefined;
  readonly dataset_digest: string | undefined;
}

/** Records points with the models that they were measured of, beside the run that measured. */
export async function logModelMetrics(
  call: MlflowCall,
  runId: string,
  points: readonly ModelPoint[],
): Promise<void> {
  for (const [id = "", its] of Map.groupBy(points, ({ model_id }) => model_id)) {
    const metrics = its.map(({ key, value, step, timestamp, ...of }) => ({
      key,
      value,
      step: BigInt(step),
      timeMs: BigInt(timestamp),
      runId,
      datasetName: of.dataset_name ?? "",
      datasetDigest: of.dataset_digest ?? "",
    }));
    await inWords(modelWords(id), () => call.rpc(log, { id, metrics }));
  }
}
