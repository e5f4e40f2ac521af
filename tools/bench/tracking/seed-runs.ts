import { randomNumbers } from "@trainyard/test/tracking/rank-file.ts";
import type { TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { waitFor } from "@trainyard/testing";
import type { Collection, Document } from "mongodb";

/** How much there is to search. */
export interface SeedSize {
  readonly runs: number;
  readonly metrics: number;
}

/** An experiment full of runs. */
export interface SeededRuns {
  readonly experiment: string;
  readonly runIds: readonly string[];
}

const BATCH = 5_000;
export const metricKey = (n: number) => `group${n % 10}/metric_${n}`;

/**
 * Fills an experiment with runs that each have so many metrics. One run is logged by calls; the others are copies of what
 * the service stored of it, written to the database at once: ten thousand runs by calls would take most of an hour.
 */
export async function seedRuns(stage: TrackingStage, { runs, metrics }: SeedSize): Promise<SeededRuns> {
  const experiment = "bench query";
  const { run } = await stage.runs.createRun({
    requestId: "seed",
    experiment,
    params: { lr: "0.1", optimizer: "adam", layers: "12", seed: "0" },
    tags: { team: "vision" },
  });
  const id = run?.id ?? "";
  await stage.metrics.logMetrics({
    requestId: "seed",
    runId: id,
    points: { keys: ["seed"], keyIndex: [0], steps: [1n], timesMs: [Date.now()], values: [1] },
  });
  const database = (await stage.database()).db();
  const summaries = database.collection<Stored>("metric_summaries");
  const documents = database.collection<Stored>("runs");
  const summary = await waitFor(
    "the first summary",
    async () => (await summaries.findOne({ runId: id })) ?? undefined,
    {
      timeoutMs: 60_000,
    },
  );
  const template = await documents.findOne({ _id: id });
  if (template === null) throw new Error("the first run is not there");
  const runIds = Array.from({ length: runs }, (_, n) => `run_${String(n).padStart(26, "0")}`);
  await insertAll(documents, runDocuments(template, runIds));
  await insertAll(summaries, summaryDocuments(summary, runIds, metrics));
  return { experiment, runIds };
}

type Stored = Document & { readonly _id: string };

function* runDocuments(template: Stored, runIds: readonly string[]): Generator<Stored> {
  for (const [n, _id] of runIds.entries()) {
    const startTime = new Date(Date.UTC(2026, 0, 1) + n * 60_000);
    const params = [
      { key: "lr", value: String(10 ** -(n % 5)) },
      { key: "optimizer", value: n % 2 === 0 ? "adam" : "sgd" },
      { key: "layers", value: String(n % 48) },
      { key: "seed", value: String(n) },
    ];
    yield {
      ...template,
      _id,
      name: `run ${n}`,
      params,
      startTime,
      startedAt: startTime,
      createdAt: startTime,
    };
  }
}

function* summaryDocuments(template: Stored, runIds: readonly string[], metrics: number): Generator<Stored> {
  const random = randomNumbers(20_261_121);
  for (const runId of runIds) {
    for (let n = 0; n < metrics; n++) {
      const key = metricKey(n);
      const [min, width, at] = [random(), random(), random()];
      const values = {
        min,
        max: min + width,
        mean: min + width / 2,
        last: min + width * at,
        first: min + width,
      };
      yield { ...template, _id: `${runId}:${key}`, runId, key, ...values };
    }
  }
}

/** A few batches at once: the database works while the next one is made. */
async function insertAll(collection: Collection<Stored>, all: Iterable<Stored>): Promise<void> {
  const documents = all[Symbol.iterator]();
  const inserter = async () => {
    for (;;) {
      const batch: Stored[] = [];
      for (let next = documents.next(); next.done !== true; next = documents.next()) {
        batch.push(next.value);
        if (batch.length === BATCH) break;
      }
      if (batch.length === 0) return;
      await collection.insertMany(batch, { ordered: false });
    }
  };
  await Promise.all([inserter(), inserter(), inserter()]);
}
