import type { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";

/** Points of one answer: what the platform gives at most. */
const pagePoints = 100_000;

/**
 * All visible points of one metric of a run, by step, then time, with rank and attempt; a page at a time, however many are at
 * one step.
 */
export async function* readPoints(
  clients: Clients,
  runId: string,
  key: string,
): AsyncGenerator<readonly tracking.MetricPoint[]> {
  let pageToken = "";
  do {
    const request = { runId, keys: [key], maxPoints: pagePoints, pageToken };
    const answer = await retryUnavailable(() => clients.tracking.getMetricHistory(request));
    if (answer.points.length > 0) yield answer.points;
    if (answer.truncated && answer.nextPageToken === "") throw cutShort(runId, key, answer.points.length);
    if (answer.nextPageToken !== "" && answer.nextPageToken === pageToken) throw cutShort(runId, key, 0);
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
}

/** The names of a run's metrics, by code unit. */
export async function metricKeysOf(clients: Clients, runId: string): Promise<string[]> {
  const { runs } = await retryUnavailable(() => clients.metrics.getSummaries({ runIds: [runId] }));
  return Object.keys(runs[0]?.metrics ?? {}).sort((a, b) => (a < b ? -1 : 1));
}

function cutShort(runId: string, key: string, count: number): DomainError {
  return new DomainError(
    "internal",
    "HISTORY_CUT_SHORT",
    `the platform gave ${count} points of ${key} of ${runId} and did not say how to read on; nothing was exported`,
  );
}
