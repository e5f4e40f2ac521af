import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle } from "@trainyard/test/flow/digits.ts";
import { startUp } from "../../start-up.ts";
import { type Bench, type Measurement, median, quantile } from "../result.ts";

const SCRIPT = "emit_points.py";
const POINTS = 1_000;
/** No multiple of any interval at which something looks for points. */
const PAUSE_MS = 23;
/** The first ones come while the run starts. */
const WARM_UP = 50;
const KEY = "emitted_ms";

/** How soon who watches a run sees what its rank has logged. */
export const visibleBench: Bench = {
  name: "visible",
  about: "from run.log in a rank to a live tail through the gateway that shows the point",
  async run(say): Promise<readonly Measurement[]> {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
    try {
      say(`${POINTS} points, one each ${PAUSE_MS} ms`);
      const samples = await delays(platform.url, platform.tokens.submitter);
      return [
        { metric: "visible_p50", unit: "ms", value: median(samples) },
        {
          metric: "visible_p99",
          unit: "ms",
          value: quantile(samples, 0.99),
          samples,
          aim: { op: "<", value: 100 },
        },
      ];
    } finally {
      await platform.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** Rank and watcher are on one machine, so their wall clocks are one. */
async function delays(url: string, token: string): Promise<number[]> {
  const user = flowClients(url, token);
  const code = await bundle(join(checkoutRoot, "tools/bench/peers"), [SCRIPT]);
  const spec = create(scheduler.JobSpecSchema, {
    name: "visible",
    ranks: 1,
    slotsPerRank: 1,
    code: { digest: await user.upload(code), sizeBytes: BigInt(code.length) },
    entrypoint: [SCRIPT],
    env: { POINTS: String(POINTS), PAUSE_MS: String(PAUSE_MS) },
  });
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  const found: number[] = [];
  for await (const { points } of user.tracking.tailRun({ runId: job?.runId ?? "" }, { timeoutMs: 0 })) {
    const now = Date.now();
    for (const { key, step, value } of points) {
      if (key === KEY && Number(step) >= WARM_UP) found.push(now - value);
    }
  }
  if (found.length < POINTS - WARM_UP)
    throw new Error(`${found.length} points were seen, ${POINTS - WARM_UP} were logged`);
  return found;
}
