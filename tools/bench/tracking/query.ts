import { startStage } from "@trainyard/test/tracking/stage.ts";
import type { Bench, Measurement } from "../result.ts";
import { benchEnv } from "./bench-env.ts";
import { measureRunQueries } from "./query-runs.ts";
import { measureSeriesQueries } from "./query-series.ts";

/** What reading costs where very much is stored. */
export const queryBench: Bench = {
  name: "query",
  about:
    "a million points to a chart, a whole history; runs listed, sorted by any aggregate and compared, over 10,000 runs of 100 metrics",
  async run(say): Promise<readonly Measurement[]> {
    const stage = await startStage({ env: benchEnv() });
    try {
      return [...(await measureSeriesQueries(stage, say)), ...(await measureRunQueries(stage, say))];
    } finally {
      await stage.stop();
    }
  },
};
