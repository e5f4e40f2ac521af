import type { MessageInitShape } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { visibleError } from "../../rest/http-error.ts";
import { integer, required, text, texts } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { type Endpoint, endpoint, type Json, type MlflowCall, rawEndpoint } from "../http/endpoint.ts";
import { invalidToken, nextPage } from "../http/pages.ts";
import { doubleJson } from "./run-json.ts";

const { getSeries } = tracking.MetricService.method;

const MAX_BULK_POINTS = 25_000;
const MAX_BULK_RUNS = 100;
const MAX_INTERVAL_POINTS = 2_500;

interface Point {
  readonly step: number;
  readonly timestamp: number;
  readonly value: number;
}

/** The histories of metrics. */
export const metricHistory: readonly Endpoint[] = [
  endpoint(
    "GET mlflow/metrics/get-history",
    { run_id: required(text), metric_key: required(text), page_token: text, max_results: integer },
    async ({ run_id: runId, metric_key: key, page_token: token, max_results: maxResults }, call) => {
      if (maxResults !== undefined && maxResults <= 0) {
        throw invalidParameter(
          `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be a positive integer.`,
        );
      }
      const offset = offsetOf(token ?? "");
      const all = await history(call, runId, key);
      const end = maxResults === undefined ? all.length : offset + maxResults;
      const next = end < all.length ? Buffer.from(JSON.stringify({ offset: end })).toString("base64") : "";
      return { metrics: all.slice(offset, end).map((point) => pointJson(key, point)), ...nextPage(next) };
    },
  ),

  rawEndpoint("GET mlflow/metrics/get-history-bulk", async (call) => {
    const runIds = [...new Set(call.query.getAll("run_id"))];
    const key = call.query.get("metric_key");
    if (runIds.length === 0)
      throw invalidParameter("GetMetricHistoryBulk request must specify at least one run_id.");
    if (runIds.length > MAX_BULK_RUNS) {
      throw invalidParameter(
        `GetMetricHistoryBulk request cannot specify more than ${MAX_BULK_RUNS} run_ids. Received ${runIds.length} run_ids.`,
      );
    }
    if (key === null) throw invalidParameter("GetMetricHistoryBulk request must specify a metric_key.");
    const wanted = Math.min(boundedInt(call.query.get("max_results"), MAX_BULK_POINTS), MAX_BULK_POINTS);
    const metrics: Json[] = [];
    for (const runId of runIds.toSorted()) {
      if (metrics.length >= wanted) break;
      const points = await history(call, runId, key);
      metrics.push(...points.map((point) => ({ ...pointJson(key, point), run_id: runId })));
    }
    return { metrics: metrics.slice(0, wanted) };
  }),

  endpoint(
    "GET mlflow/metrics/get-history-bulk-interval",
    {
      run_ids: required(texts),
      metric_key: required(text),
      start_step: integer,
      end_step: integer,
      max_results: integer,
    },
    async (
      {
        run_ids: runIds,
        metric_key: key,
        start_step: from,
        end_step: to,
        max_results: wanted = MAX_INTERVAL_POINTS,
      },
      call,
    ) => {
      assertInterval(runIds, from, to, wanted);
      const histories = await Promise.all(runIds.map((runId) => history(call, runId, key)));
      const inRange = histories.map((points) =>
        points.filter(({ step }) => from === undefined || to === undefined || (step >= from && step <= to)),
      );
      const steps = sampled(
        [...new Set(inRange.flatMap((points) => points.map(({ step }) => step)))].toSorted((a, b) => a - b),
        wanted,
      );
      // The last step of each run is always shown.
      const keep = new Set([
        ...steps,
        ...inRange.flatMap((points) => points.toSorted((a, b) => a.step - b.step).at(-1)?.step ?? []),
      ]);
      return {
        metrics: runIds.flatMap((runId, index) =>
          (inRange[index] ?? [])
            .filter(({ step }) => keep.has(step))
            .toSorted((a, b) => a.step - b.step || a.timestamp - b.timestamp)
            .map((point) => ({ ...pointJson(key, point), run_id: runId })),
        ),
      };
    },
  ),
];

/** Every visible point of a metric in MLflow's order: by time, step and value. */
async function history(call: MlflowCall, runId: string, key: string): Promise<readonly Point[]> {
  if (key === "") return [];
  const points: Point[] = [];
  let minStep: bigint | undefined;
  do {
    const from = minStep === undefined ? {} : { minStep };
    const { series } = await seriesOf(call, { runIds: [runId], keys: [key], ...from });
    const [read] = series;
    const { steps = [], timesMs = [], values = [] } = read?.points ?? {};
    for (const [index, step] of steps.entries()) {
      points.push({
        step: Number(step),
        timestamp: Math.round(timesMs[index] ?? 0),
        value: values[index] ?? 0,
      });
    }
    minStep = read?.nextStep;
  } while (minStep !== undefined);
  return points.sort((a, b) => a.timestamp - b.timestamp || a.step - b.step || a.value - b.value);
}

/** A run that is not here has no history, which to MLflow is no error. */
async function seriesOf(call: MlflowCall, request: MessageInitShape<typeof getSeries.input>) {
  try {
    return await call.rpc(getSeries, request);
  } catch (error) {
    if (visibleError(error).reason === "RUN_NOT_FOUND") return { series: [] };
    throw error;
  }
}

function pointJson(key: string, { value, timestamp, step }: Point) {
  return { key, value: doubleJson(value), timestamp, step };
}

function offsetOf(token: string): number {
  if (token === "") return 0;
  const text = Buffer.from(token, "base64").toString("utf8");
  const offset = /^\{"offset": ?(\d{1,15})\}$/.exec(text)?.[1];
  if (offset === undefined) throw invalidToken(token);
  return Number(offset);
}

function boundedInt(given: string | null, otherwise: number): number {
  if (given === null) return otherwise;
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw invalidParameter(
    `Invalid value ${given} for parameter 'max_results' supplied. It must be a positive integer.`,
  );
}

function assertInterval(
  runIds: readonly string[],
  from: number | undefined,
  to: number | undefined,
  wanted: number,
): void {
  const docs = " See the API docs for more information about request parameters.";
  if (runIds.length > MAX_BULK_RUNS) {
    throw invalidParameter(
      `GetMetricHistoryBulkInterval request must specify at most ${MAX_BULK_RUNS} run_ids. Received ${runIds.length} run_ids.${docs}`,
    );
  }
  if (wanted < 1 || wanted > MAX_INTERVAL_POINTS) {
    throw invalidParameter(`max_results must be between 1 and ${MAX_INTERVAL_POINTS}.${docs}`);
  }
  if ((from === undefined) !== (to === undefined)) {
    throw invalidParameter("If either start step or end step are specified, both must be specified.");
  }
  if (from !== undefined && to !== undefined && from > to) {
    throw invalidParameter(
      `end_step must be greater than start_step. Found start_step=${from} and end_step=${to}.`,
    );
  }
}

/** So many steps of a list, evenly spread, the last among them. */
function sampled(steps: readonly number[], wanted: number): readonly number[] {
  if (steps.length <= wanted) return steps;
  const stride = steps.length / wanted;
  const picked = Array.from({ length: wanted }, (_, index) => steps[Math.floor(index * stride)] ?? 0);
  return [...picked, steps.at(-1) ?? 0];
}
