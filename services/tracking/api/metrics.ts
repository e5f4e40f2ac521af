import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import type { HistoryPosition, PageLimits } from "../domain/history-page.ts";
import { MAX_HISTORY_POINTS } from "../domain/limits.ts";
import { awaitRun } from "../operations/await-run.ts";
import { readHistory } from "../operations/read-history.ts";
import { tailRun } from "../operations/tail-run.ts";
import { boundedNumber } from "../wire/numbers.ts";
import { pointRangeFromProto } from "../wire/point-range-from-proto.ts";
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
      const asked = boundedNumber("max_points", request.maxPoints, 0, Number.MAX_SAFE_INTEGER);
      const limit = asked === 0 ? MAX_HISTORY_POINTS : Math.min(asked, MAX_HISTORY_POINTS);
      const query = historyQuery(run.id, request);
      const position = positionOf(decodePageToken(request.pageToken, query.token));
      const { points, next } = await readHistory(deps, run, { ...query.points, position }, limitsOf(limit));
      return {
        points: points.map(pointToProto),
        truncated: next !== undefined,
        nextPageToken: next === undefined ? "" : encodePageToken(query.token, { ...next }),
      };
    },

    async *tailRun(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      for await (const { points, view } of tailRun(deps, run.id, request.keys, context.signal)) {
        yield { points: points.map(pointToProto), ...(view === undefined ? {} : { run: runToProto(view) }) };
      }
    },
  };
}

/** Which points are asked for, and what of it a page token is good for. */
function historyQuery(runId: string, request: tracking.GetMetricHistoryRequest) {
  const { keys, rank } = request;
  const range = pointRangeFromProto(request);
  return { points: { keys, rank, range }, token: { runId, keys, rank: rank ?? null, range: { ...range } } };
}

function positionOf(position: Json | undefined): HistoryPosition | undefined {
  // Tokens are made above, and their checksum tells that they are of this query.
  return position as HistoryPosition | undefined;
}

function limitsOf(points: number): PageLimits {
  return { points, bytes: MAX_ANSWER_BYTES, bytesOf: ({ key }) => POINT_BYTES + Buffer.byteLength(key) };
}
