import type { Bench, Measurement } from "../result.ts";
import { measureRunQueries } from "./query-runs.ts";
import { startStage } from "./stage.ts";

/** What reading costs where very much is stored. */
export const queryBench: Bench = {
  name: "query",
  about: "runs listed, sorted by any aggregate and compared, over 10,000 runs of 100 metrics",
  async run(say): Promise<readonly Measurement[]> {
    const nodeArgs = (process.env.TRAINYARD_BENCH_NODE_ARGS ?? "").split(" ").filter((word) => word !== "");
    const stage = await startStage(nodeArgs);
    try {
      return await measureRunQueries(stage, say);
    } finally {
      await stage.stop();
    }
  },
};
