import { integer, required, text, texts } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { type Point, sampled } from "../domain/sampled.ts";
import { type Endpoint, endpoint, type Json, type MlflowCall, rawEndpoint } from "../http/endpoint.ts";
import { nextPage } from "../http/pages.ts";
import { type HistoryQuery, historyPage } from "./history-points.ts";
import { doubleJson } from "./run-json.ts";

/** Points of an answer to a client that did not say how many it takes; MLflow's own asks for 25,000. */
const MAX_UNASKED_POINTS = 250_000;
const MAX_PAGE_POINTS = 100_000;
/** Points of one run that are looked through for an interval of steps. */
const MAX_SEEN_POINTS = 100_000;
const MAX_BULK_POINTS = 25_000;
const MAX_BULK_RUNS = 100;
const MAX_INTERVAL_POINTS = 2_500;

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
      const wanted = maxResults === undefined ? MAX_UNASKED_POINTS : Math.min(maxResults, MAX_PAGE_POINTS);
      const { items, nextPageToken } = await historyPage(call, { runId, key }, wanted, token ?? "");
      return { metrics: items.map((point) => pointJson(key, point)), ...nextPage(nextPageToken) };
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
      const left = wanted - metrics.length;
      if (left === 0) break;
      const { items } = await historyPage(call, { runId, key }, left, "");
      metrics.push(...items.map((point) => ({ ...pointJson(key, point), run_id: runId })));
    }
    return { metrics };
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
      const steps = from === undefined || to === undefined ? {} : { steps: { from, to } };
      const metrics: Json[] = [];
      // One after the other: together they could be more than fits in memory.
      for (const runId of runIds) {
        const points = await wholeInterval(call, { runId, key, ...steps });
        metrics.push(
          ...sampled(points, wanted).map((point) => ({ ...pointJson(key, point), run_id: runId })),
        );
      }
      return { metrics };
    },
  ),
];

/** Every point of the interval. Throws when there are more than are looked through. */
async function wholeInterval(call: MlflowCall, query: HistoryQuery): Promise<readonly Point[]> {
  const { items, nextPageToken } = await historyPage(call, query, MAX_SEEN_POINTS, "");
  if (nextPageToken === "") return items;
  throw invalidParameter(
    `Run ${query.runId} has more than ${MAX_SEEN_POINTS} points of metric '${query.key}' in the interval: give a shorter one by start_step and end_step.`,
  );
}

function pointJson(key: string, { value, timestamp, step }: Point) {
  return { key, value: doubleJson(value), timestamp, step };
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
