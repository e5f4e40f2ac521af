import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { actorOf, principalOf, requestId } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import { MAX_HISTORY_POINTS, MAX_POINTS_PER_STREAM } from "../domain/limits.ts";
import { numbersOf } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { awaitRun, runToLogTo } from "../operations/await-run.ts";
import { assertNotDeleted } from "../operations/change-run.ts";
import { signOfLife } from "../operations/heartbeat.ts";
import { createMetricCalls, type MetricCall } from "../operations/log-metrics.ts";
import { readBuckets } from "../operations/read-buckets.ts";
import { readSeries } from "../operations/read-series.ts";
import { runMetrics } from "../operations/run-metrics.ts";
import { metricColumnsFromProto } from "../wire/metric-columns-from-proto.ts";
import { boundedNumber } from "../wire/numbers.ts";
import { pointRangeFromProto } from "../wire/point-range-from-proto.ts";
import { summariesToProto } from "../wire/points-to-proto.ts";
import { bucketSeriesToProto, pointsSeriesToProto } from "../wire/series-to-proto.ts";

/** Runs, and metrics, in one call for charts; buckets of one series, and of all series of a call. */
const MAX_RUNS = 100;
const MAX_KEYS = 100;
const MAX_BUCKETS = 10_000;
const MAX_BUCKETS_PER_CALL = 200_000;

/** Metric points by call, and series for charts. */
export function metricService(deps: Deps): ServiceImpl<typeof tracking.MetricService> {
  const calls = createMetricCalls(deps);

  async function log(
    request: tracking.LogMetricsRequest | tracking.LogMetricStreamRequest,
    context: HandlerContext,
    named: Pick<MetricCall, "namedByPoints" | "batch">,
  ): Promise<{ readonly outcome: "stored" | "known"; readonly count: number }> {
    const principal = principalOf(context);
    if (request.requestId !== "") requestId(request.requestId);
    const points = metricColumnsFromProto(request.points);
    const run = await runToLogTo(deps, request.runId, principal, context.signal);
    await assertNotDeleted(deps, run);
    await signOfLife(deps, run);
    const count = points.values.length;
    if (count === 0) return { outcome: "stored", count };
    const call = { run, points, actor: actorOf(principal), requestId: request.requestId, ...named };
    return { outcome: await calls.log(call), count };
  }

  return {
    async logMetrics(request, context) {
      const { namedByPoints } = request;
      const { outcome, count } = await log(request, context, { namedByPoints });
      return { stored: outcome === "stored" ? BigInt(count) : 0n };
    },

    async logMetricStream(requests, context) {
      const totals = { stored: 0, known: 0 };
      let first: tracking.LogMetricStreamRequest | undefined;
      for await (const request of requests) {
        requestId(request.requestId);
        first ??= request;
        assertSameStream(first, request);
        const sent = totals.stored + totals.known + (request.points?.values.length ?? 0);
        if (sent > MAX_POINTS_PER_STREAM) throw tooManyPoints();
        const { outcome, count } = await log(request, context, { batch: request.batch });
        totals[outcome] += count;
      }
      return { stored: BigInt(totals.stored), repeated: BigInt(totals.known) };
    },

    async getSeries(request, context) {
      const { keys, rank } = request;
      const buckets = boundedNumber("buckets", request.buckets, 0, MAX_BUCKETS);
      assertAsked("keys", keys, MAX_KEYS);
      assertBuckets(request.runIds.length * keys.length * buckets);
      const limit =
        boundedNumber("max_points", request.maxPoints, 0, MAX_HISTORY_POINTS) || MAX_HISTORY_POINTS;
      const query = { keys, rank, range: pointRangeFromProto(request) };
      const isBinary = context.requestHeader.get("content-type")?.includes("json") !== true;
      const form = request.asColumns ? "columns" : isBinary ? "packed lists" : "lists";
      const series: tracking.Series[] = [];
      let left = limit;
      for (const run of await runsOf(deps, request.runIds, context)) {
        if (buckets > 0) series.push(...(await bucketSeries(deps, run, { ...query, buckets }, request.axis)));
        else {
          const found = await readSeries(deps, run, query, left);
          for (const key of new Set(keys)) {
            const columns = found.get(key);
            if (columns === undefined) continue;
            const one = pointsSeriesToProto(run.id, key, columns, { left, limit, form });
            left -= one.count;
            series.push(one.series);
          }
        }
      }
      return { series };
    },

    async getSummaries(request, context) {
      const { keys, runIds } = request;
      if (keys.length > 0 || runIds.length > 1) assertAsked("keys", keys, MAX_KEYS);
      const runs: { readonly runId: string; readonly metrics: Record<string, tracking.MetricSummary> }[] = [];
      for (const run of await runsOf(deps, runIds, context)) {
        const summaries = await runMetrics(deps, run, { keys });
        const metrics = summariesToProto(summaries.map(numbersOf));
        if (summaries.length > 0) runs.push({ runId: run.id, metrics });
      }
      return { runs };
    },
  };
}

async function bucketSeries(
  deps: Deps,
  run: RunRecord,
  query: Omit<Parameters<typeof readBuckets>[2], "axis">,
  axis: tracking.SeriesAxis,
): Promise<tracking.Series[]> {
  const found = await readBuckets(deps, run, {
    ...query,
    axis: axis === tracking.SeriesAxis.TIME ? "time" : "step",
  });
  return [...found].map(([key, buckets]) => bucketSeriesToProto(run.id, key, buckets));
}

async function runsOf(deps: Deps, ids: readonly string[], context: HandlerContext): Promise<RunRecord[]> {
  assertAsked("run_ids", ids, MAX_RUNS);
  return Promise.all(ids.map((id) => awaitRun(deps, id, principalOf(context), context.signal)));
}

function assertAsked(field: string, asked: readonly string[], most: number): void {
  if (asked.length >= 1 && asked.length <= most) return;
  throw invalidField(field, `expected 1 to ${most}, got ${asked.length}`, "SERIES_LIMIT");
}

function assertBuckets(asked: number): void {
  if (asked <= MAX_BUCKETS_PER_CALL) return;
  const description = `runs times keys times buckets is ${asked}, at most ${MAX_BUCKETS_PER_CALL} (MAX_BUCKETS_PER_CALL)`;
  throw invalidField("buckets", description, "SERIES_LIMIT");
}

function assertSameStream(
  first: tracking.LogMetricStreamRequest,
  { requestId: id, runId }: tracking.LogMetricStreamRequest,
): void {
  if (id === first.requestId && runId === first.runId) return;
  throw invalidField("request_id", "a stream's batches have one request id and one run id");
}

function tooManyPoints() {
  const description = `a stream has at most ${MAX_POINTS_PER_STREAM} points (MAX_POINTS_PER_STREAM); begin another one`;
  return invalidField("points", description, "TOO_MANY_POINTS");
}
