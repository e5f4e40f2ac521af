import type { TrackingStage } from "../../tracking/stage.ts";
import type { LoggedPoint } from "./logged-point.ts";
import type { Writer } from "./writers.ts";

/** What of a run's points is not as it was logged: lost, doubled or foreign in its history or its summaries. */
export async function brokenIn(stage: TrackingStage, { runId, logged }: Writer): Promise<string[]> {
  const expected = logged.map(text).sort();
  const found = (await historyOf(stage, runId)).map(text).sort();
  const broken: string[] = [];
  const distinct = new Set(found);
  const lost = expected.filter((point) => !distinct.has(point));
  const known = new Set(expected);
  const foreign = found.filter((point) => !known.has(point));
  const doubled = found.filter((point, index) => point === found[index - 1] && !isTwice(expected, point));
  for (const [what, points] of Object.entries({ lost, doubled, foreign })) {
    if (points.length > 0)
      broken.push(`${runId}: ${points.length} of ${expected.length} ${what}, such as ${points[0]}`);
  }
  if (broken.length === 0 && found.length !== expected.length)
    broken.push(`${runId}: ${found.length} points, ${expected.length} were logged`);
  return [...broken, ...(await brokenSummaries(stage, runId, logged))];
}

const text = ({ key, step, value }: LoggedPoint) => `${key} ${step} ${value}`;

/** NaN has no other value to be told by, so two of one step look alike. */
const isTwice = (sorted: readonly string[], point: string) =>
  sorted.indexOf(point) !== sorted.lastIndexOf(point);

async function historyOf(stage: TrackingStage, runId: string): Promise<LoggedPoint[]> {
  const points: LoggedPoint[] = [];
  let pageToken = "";
  do {
    const page = await stage.tracking.getMetricHistory({ runId, pageToken });
    points.push(...page.points.map(({ key, step, value }) => ({ key, step: Number(step), value })));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return points;
}

async function brokenSummaries(
  stage: TrackingStage,
  runId: string,
  logged: readonly LoggedPoint[],
): Promise<string[]> {
  const { runs } = await stage.metrics.getSummaries({ runIds: [runId] });
  const metrics = runs[0]?.metrics ?? {};
  return [...new Set(logged.map(({ key }) => key))].flatMap((key) => {
    const points = logged.filter((point) => point.key === key);
    const values = points.map(({ value }) => value).filter((value) => !Number.isNaN(value));
    const expected = [points.length, points.length - values.length, Math.min(...values), Math.max(...values)];
    const { count = 0n, nanCount = 0n, min = Number.NaN, max = Number.NaN } = metrics[key] ?? {};
    const found = [Number(count), Number(nanCount), min, max];
    if (expected.every((number, index) => number === found[index])) return [];
    return [`${runId}: the summary of ${key} says ${found.join(" ")}, expected ${expected.join(" ")}`];
  });
}
