import { crashPoint } from "@trainyard/failpoint";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import { metricKeyProblem, stepProblem } from "./limits.ts";
import { PointBatch } from "./points.ts";
import type { Problems } from "./problems.ts";
import { type RunWriter, requestId } from "./run-writer.ts";

/** A point on its way. */
export interface SeriesPoint {
  readonly key: string;
  readonly step: bigint;
  readonly timeMs: number;
  readonly value: number;
}

/**
 * Writes points that come in an order that is the same every time, as far as the run does not have them yet: of each metric
 * as many are left out as it has. Points of one call are stored all or none, and the calls are made one after another, so that
 * number is exactly how far an import that was stopped had come. Gives how many were stored now.
 */
export async function writeSeries(
  clients: Clients,
  writer: RunWriter,
  problems: Problems,
  runId: string,
  points: AsyncIterable<SeriesPoint>,
  signal: AbortSignal,
): Promise<number> {
  const { runs } = await retryUnavailable(() => clients.metrics.getSummaries({ runIds: [runId] }));
  const stored = new Map(
    Object.entries(runs[0]?.metrics ?? {}).map(([key, { count }]) => [key, Number(count)]),
  );
  const seen = new Map<string, number>();
  let batch = new PointBatch(problems);
  let sent = 0;
  const flush = async () => {
    signal.throwIfAborted();
    const { keys } = batch.columns;
    const place = keys.map((key) => `${key} ${seen.get(key) ?? 0}`);
    sent += await writer.points(runId, batch.columns, "series", String(batch.size), requestId(...place));
    crashPoint("import.batch.sent");
    batch = new PointBatch(problems);
  };
  for await (const { key, step, timeMs, value } of points) {
    // What is never taken is not among those that are there.
    const isTakeable = metricKeyProblem(key) === undefined && stepProblem(step) === undefined;
    const number = seen.get(key) ?? 0;
    if (isTakeable) seen.set(key, number + 1);
    if (isTakeable && number < (stored.get(key) ?? 0)) continue;
    batch.add(key, step, timeMs, value);
    if (batch.isFull) await flush();
  }
  if (batch.size > 0) await flush();
  return sent;
}
