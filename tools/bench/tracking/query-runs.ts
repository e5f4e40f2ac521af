import type { tracking } from "@trainyard/contracts";
import type { TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { type Measurement, quantile } from "../result.ts";
import { startMlflowRuns } from "./mlflow-runs.ts";
import { metricKey, type SeededRuns, seedRuns } from "./seed-runs.ts";

const SIZE = { runs: 10_000, metrics: 100 } as const;
const PAGE = 100;
const COMPARED = 20;
const CALLS = 60;
const PEER_CALLS = 6;
const AIM = { op: "<", value: 100 } as const;
const aggregates = ["last", "min", "max", "mean", "first", "count"] as const;

/** One question, and how MLflow's client would ask it; without `peer` its server has no such answer. */
interface Question {
  readonly metric: string;
  /** Everything of everything is not what a page asks for. */
  readonly hasNoAim?: true;
  ask(n: number): Partial<tracking.SearchRunsRequest>;
  readonly peer?: (n: number) => Readonly<Record<string, unknown>>;
}

/** 95th percentiles of lists, orders and comparisons over 10,000 runs with 100 metrics each, 1,000,000 rows in all. */
export async function measureRunQueries(
  stage: TrackingStage,
  say: (line: string) => void,
): Promise<readonly Measurement[]> {
  say(`${SIZE.runs} runs of ${SIZE.metrics} metrics`);
  const seeded = await seedRuns(stage, SIZE);
  const peer = await startMlflowRuns(stage.dir, SIZE, say);
  try {
    const measured: Measurement[] = [];
    for (const question of questions(seeded)) {
      say(question.metric);
      const samples = await timed(CALLS, (n) => search(stage, seeded, question.ask(n)));
      const asked = question.peer;
      const theirs = asked === undefined ? undefined : await timed(PEER_CALLS, (n) => peer.search(asked(n)));
      measured.push({
        metric: question.metric,
        unit: "ms",
        value: quantile(samples, 0.95),
        samples,
        ...(question.hasNoAim === true ? {} : { aim: AIM }),
        ...(theirs === undefined
          ? {}
          : {
              peer: { name: "mlflow server (SQLite)", version: peer.version, value: quantile(theirs, 0.95) },
            }),
      });
    }
    return measured;
  } finally {
    await peer.stop();
  }
}

function questions({ runIds }: SeededRuns): readonly Question[] {
  const column = (n: number) => `\`${metricKey(n % SIZE.metrics)}\``;
  const columns = (n: number) => [0, 1, 2, 3].map((more) => metricKey((n + more) % SIZE.metrics));
  const direction = (n: number) => (n % 2 === 0 ? "ASC" : "DESC");
  const chosen = (n: number) =>
    Array.from({ length: COMPARED }, (_, k) => runIds[(n * 131 + k * 499) % runIds.length] ?? "");
  const among = (ids: readonly string[]) => `attributes.run_id IN (${ids.map((id) => `'${id}'`).join(", ")})`;
  return [
    {
      metric: "runs_list_p95",
      ask: (n) => ({ fields: fields({ metricKeys: columns(n), allParams: true }) }),
      peer: () => ({}),
    },
    {
      metric: "runs_list_every_metric_p95",
      hasNoAim: true,
      ask: () => ({ fields: fields({ allMetrics: true, allParams: true }) }),
      peer: () => ({}),
    },
    {
      metric: "runs_sort_by_aggregate_p95",
      ask: (n) => ({
        orderBy: [`metrics.${column(n)}.${aggregates[n % aggregates.length]} ${direction(n)}`],
        fields: fields({ metricKeys: columns(n) }),
      }),
      peer: (n) => ({ order_by: [`metrics.${column(n)} ${direction(n)}`] }),
    },
    {
      metric: "runs_filter_and_sort_p95",
      ask: (n) => ({
        filter: `metrics.${column(n)}.max > 0.9 AND params.optimizer = 'adam'`,
        orderBy: [`metrics.${column(n + 1)}.min ${direction(n)}`],
        fields: fields({ metricKeys: columns(n) }),
      }),
      peer: (n) => ({
        filter: `metrics.${column(n)} > 0.9 AND params.optimizer = 'adam'`,
        order_by: [`metrics.${column(n + 1)} ${direction(n)}`],
      }),
    },
    {
      metric: "runs_compare_20_p95",
      ask: (n) => ({
        filter: among(chosen(n)),
        fields: fields({ allMetrics: true, allParams: true, allTags: true }),
      }),
      peer: (n) => ({ filter: among(chosen(n).map((id) => id.replace(/^run_0*/, "").padStart(32, "0"))) }),
    },
  ];
}

function fields(some: Omit<Partial<tracking.RunFields>, "$typeName">): tracking.RunFields {
  return some as tracking.RunFields; // What a call leaves out is filled in when it is sent.
}

async function search(
  stage: TrackingStage,
  { experiment }: SeededRuns,
  asked: Partial<tracking.SearchRunsRequest>,
): Promise<void> {
  const { $typeName: _, ...request } = asked as tracking.SearchRunsRequest;
  const { runs } = await stage.runs.searchRuns({
    ...request,
    experiments: [experiment],
    page: { pageSize: PAGE },
  });
  if (runs.length === 0) throw new Error("a search found nothing");
}

/** Milliseconds of each call, after one that warms up. */
async function timed(calls: number, call: (n: number) => Promise<unknown>): Promise<readonly number[]> {
  await call(0);
  const samples: number[] = [];
  for (let n = 1; n <= calls; n++) {
    const from = performance.now();
    await call(n);
    samples.push(performance.now() - from);
  }
  return samples;
}
