import { crashPoint } from "@trainyard/failpoint";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import { metricKeyProblem, stepProblem } from "./limits.ts";
import { PointBatch } from "./points.ts";
import { PointsThere } from "./points-there.ts";
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
 * Writes points, those of one metric after another, as far as the run does not have them yet: what it has is read back and
 * left out, each point as often as it is there. So it may be stopped anywhere and done again, also when points have come in
 * between others since. Gives how many were stored now.
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
  const known = new Set(Object.keys(runs[0]?.metrics ?? {}));
  let current: { readonly key: string; readonly there: PointsThere | undefined } | undefined;
  let batch = new PointBatch(problems);
  let seen = 0;
  let sent = 0;
  const flush = async () => {
    signal.throwIfAborted();
    // Where it ends belongs to a call's name, since equal points may fill several; what it holds does, too, since the points
    // may have been more or fewer another time.
    const name = ["series", String(seen), contentOf(batch)];
    sent += await writer.points(runId, batch.columns, ...name);
    crashPoint("import.batch.sent");
    batch = new PointBatch(problems);
  };
  for await (const { key, step, timeMs, value } of points) {
    if (current?.key !== key)
      current = { key, there: known.has(key) ? await PointsThere.read(clients, runId, key) : undefined };
    seen += 1;
    const isTakeable = metricKeyProblem(key) === undefined && stepProblem(step) === undefined;
    if (isTakeable && current.there?.take(step, timeMs, value) === true) continue;
    batch.add(key, step, timeMs, value);
    if (batch.isFull) await flush();
  }
  if (batch.size > 0) await flush();
  return sent;
}

function contentOf({ columns }: PointBatch): string {
  const { keys, keyIndex, steps, timesMs, values } = columns;
  return requestId(
    keys.join("\0"),
    keyIndex.join(),
    steps.join(),
    timesMs.join(),
    Buffer.from(Float64Array.from(values).buffer).toString("base64"),
  );
}
