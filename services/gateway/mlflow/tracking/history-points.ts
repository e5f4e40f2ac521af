import { tracking } from "@trainyard/contracts";
import { visibleError } from "../../rest/http-error.ts";
import type { Point } from "../domain/sampled.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { type Page, withOwnToken } from "../http/pages.ts";

const { getMetricHistory } = tracking.TrackingService.method;

/** Most points that the tracking service gives at once. */
const POINTS_AT_ONCE = 100_000;

/** What of a history to read. */
export interface HistoryQuery {
  readonly runId: string;
  readonly key: string;
  readonly steps?: { readonly from: number; readonly to: number };
}

/**
 * So many points of a metric, and where the next ones begin. MLflow's order is by time, step and value; one page is in it, several
 * follow each other by step: to sort a million points for each page would cost more than it tells anybody.
 */
export async function historyPage(
  call: MlflowCall,
  query: HistoryQuery,
  wanted: number,
  pageToken: string,
): Promise<Page<Point>> {
  const items: Point[] = [];
  let token = pageToken;
  do {
    const read = await withOwnToken(pageToken, () =>
      pointsOf(call, query, Math.min(wanted - items.length, POINTS_AT_ONCE), token),
    );
    for (const { step, timeMs, value } of read.points)
      items.push({ step: Number(step), timestamp: Math.round(timeMs), value });
    token = read.nextPageToken;
  } while (token !== "" && items.length < wanted);
  items.sort((a, b) => a.timestamp - b.timestamp || a.step - b.step || a.value - b.value);
  return { items, nextPageToken: token };
}

/** A run that is not here has no history, which to MLflow is no error. */
async function pointsOf(
  call: MlflowCall,
  { runId, key, steps }: HistoryQuery,
  maxPoints: number,
  pageToken: string,
): Promise<Pick<tracking.GetMetricHistoryResponse, "points" | "nextPageToken">> {
  // To the tracking service no key means all.
  if (key === "") return { points: [], nextPageToken: "" };
  const range = steps === undefined ? {} : { minStep: BigInt(steps.from), maxStep: BigInt(steps.to) };
  try {
    return await call.rpc(getMetricHistory, { runId, keys: [key], maxPoints, pageToken, ...range });
  } catch (error) {
    if (visibleError(error).reason === "RUN_NOT_FOUND") return { points: [], nextPageToken: "" };
    throw error;
  }
}
