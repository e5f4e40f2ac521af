import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { MAX_HISTORY_POINTS } from "../domain/limits.ts";
import type { MetricPoint } from "../domain/metric-point.ts";
import { awaitRun } from "../operations/await-run.ts";
import { readHistory } from "../operations/read-history.ts";
import { tailRun } from "../operations/tail-run.ts";
import { boundedNumber } from "../wire/numbers.ts";
import { pointToProto } from "../wire/points-to-proto.ts";
import { runToProto } from "../wire/run-to-proto.ts";

/** Bytes of points in one answer: below the size of a message that clients accept. */
const MAX_ANSWER_BYTES = 3_500_000;
/** Bytes of a point on the wire beside its key, at most. */
const POINT_BYTES = 44;

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "getMetricHistory" | "tailRun">;

/** Metric points, as they are and as they come. */
export function metricsApi(deps: Deps): Methods {
  return {
    async getMetricHistory(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      const { keys, rank } = request;
      const asked = boundedNumber("max_points", request.maxPoints, 0, Number.MAX_SAFE_INTEGER);
      const limit = asked === 0 ? MAX_HISTORY_POINTS : Math.min(asked, MAX_HISTORY_POINTS);
      const { points, truncated } = await readHistory(deps, run, { keys, rank, limit });
      const fitting = countWithin(points);
      if (fitting === points.length) return { points: points.map(pointToProto), truncated };
      const fewer = await readHistory(deps, run, { keys, rank, limit: fitting });
      return { points: fewer.points.slice(0, countWithin(fewer.points)).map(pointToProto), truncated: true };
    },

    async *tailRun(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      for await (const { points, view } of tailRun(deps, run.id, request.keys, context.signal)) {
        yield { points: points.map(pointToProto), ...(view === undefined ? {} : { run: runToProto(view) }) };
      }
    },
  };
}

/** How many of the points fit into one answer. */
function countWithin(points: readonly MetricPoint[]): number {
  let bytes = 0;
  const beyond = points.findIndex(({ key }) => {
    bytes += POINT_BYTES + Buffer.byteLength(key);
    return bytes > MAX_ANSWER_BYTES;
  });
  return beyond === -1 ? points.length : beyond;
}
