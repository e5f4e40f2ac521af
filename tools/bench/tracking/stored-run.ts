import { join } from "node:path";
import { writeRankFile } from "@trainyard/test/tracking/rank-file.ts";
import type { TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { testLogger, waitFor } from "@trainyard/testing";
import { MetricPump, TelemetryBundler } from "@trainyard/worker-agent";

/** What the ranks of a run have recorded. */
export interface RecordedRun {
  readonly ranks: number;
  readonly steps: number;
  readonly keys: readonly string[];
  readonly seed: number;
  /** Values as a training that computes in float32 logs them. */
  readonly float32?: boolean;
}

/** Ships ranks' files, written before, through the agent's pumps. Returns the run and the seconds until all of it was stored. */
export async function storeRun(
  stage: TrackingStage,
  recorded: RecordedRun,
): Promise<{ readonly runId: string; readonly seconds: number }> {
  const runId = await stage.openRun();
  const paths = Array.from({ length: recorded.ranks }, (_, rank) =>
    join(stage.dir, `records-${runId}-${rank}.bin`),
  );
  const sizes = paths.map((path, rank) =>
    writeRankFile(path, { ...recorded, seed: recorded.seed * 100 + rank }),
  );
  const source = { ended: () => true, isFollowed: () => false, signal: new AbortController().signal };
  const attempt = { project: "default", runId, attempt: 1 };
  const bundler = new TelemetryBundler(attempt, stage.publisher, source.signal);
  const from = performance.now();
  const pumps = paths.map(
    (path, rank) =>
      new MetricPump({
        of: { ...attempt, rank },
        path,
        from: 0,
        bundler,
        source,
        observe: () => undefined,
        logger: testLogger("bench"),
      }),
  );
  await Promise.all(pumps.map((pump) => pump.run()));
  await waitFor(
    "everything to be stored",
    async () => {
      const { ranks } = await stage.agent.getTelemetryOffsets({ runId, attempt: 1 });
      return sizes.every((size, rank) =>
        ranks.some((each) => each.rank === rank && Number(each.records) === size),
      );
    },
    { timeoutMs: 300_000, intervalMs: 10 },
  );
  const seconds = (performance.now() - from) / 1_000;
  await Promise.all(pumps.map((pump) => pump.close()));
  return { runId, seconds };
}

/** Waits until no batch of the run is left that is not in a chunk. */
export async function packed(stage: TrackingStage, runId: string): Promise<void> {
  const batches = (await stage.database()).db().collection("metric_batches");
  await waitFor("everything to be packed", async () => (await batches.countDocuments({ runId })) === 0, {
    timeoutMs: 400_000,
    intervalMs: 500,
  });
}
