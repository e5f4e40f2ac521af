import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import type { SeriesPoint } from "../moving/write-series.ts";

/** Points of one answer: what the platform gives at most. */
const pagePoints = 100_000;
/** The last step there is. */
const maxStep = BigInt(Number.MAX_SAFE_INTEGER);

/** All visible points of some metrics of a run, by key, then step, then time; a page at a time, whatever their number. */
export async function* readPoints(
  clients: Clients,
  runId: string,
  keys: readonly string[],
): AsyncGenerator<SeriesPoint> {
  for (const key of keys) {
    let minStep = -maxStep;
    for (;;) {
      const request = { runIds: [runId], keys: [key], minStep, maxPoints: pagePoints };
      const { series } = await retryUnavailable(() => clients.metrics.getSeries(request));
      const [found] = series;
      const { steps = [], timesMs = [], values = [] } = found?.points ?? {};
      for (let at = 0; at < values.length; at += 1)
        yield { key, step: steps[at] ?? 0n, timeMs: timesMs[at] ?? 0, value: values[at] ?? Number.NaN };
      if (found?.nextStep === undefined) break;
      if (found.nextStep <= minStep)
        throw new Error(`${runId}: the series ${key} does not go on after step ${minStep}`);
      minStep = found.nextStep;
    }
  }
}

/** The names of a run's metrics. */
export async function metricKeysOf(clients: Clients, runId: string): Promise<string[]> {
  const { runs } = await retryUnavailable(() => clients.metrics.getSummaries({ runIds: [runId] }));
  return Object.keys(runs[0]?.metrics ?? {}).sort((a, b) => (a < b ? -1 : 1));
}
