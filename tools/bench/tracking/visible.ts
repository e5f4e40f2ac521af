import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { type FlowClients, flowClients } from "@trainyard/test/flow/clients.ts";
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
/** Reads of a run that nobody has followed for a while, and that while: longer than a run counts as followed. */
const LOOKS = 10;
const UNSEEN_MS = 6_100;

/** How soon who watches a run sees what its rank has logged. */
export const visibleBench: Bench = {
  name: "visible",
  about: "from run.log in a rank to a live tail through the gateway that shows the point",
  async run(say): Promise<readonly Measurement[]> {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
    try {
      const user = flowClients(platform.url, platform.tokens.submitter);
      say(`${POINTS} points, one each ${PAUSE_MS} ms`);
      const samples = await delays(user);
      say(`${LOOKS} looks at a run, one each ${UNSEEN_MS / 1_000} s`);
      const ages = await firstLooks(user);
      return [
        { metric: "visible_p50", unit: "ms", value: median(samples) },
        {
          metric: "visible_p99",
          unit: "ms",
          value: quantile(samples, 0.99),
          samples,
          aim: { op: "<", value: 100 },
        },
        { metric: "first_look_age_p50", unit: "ms", value: median(ages) },
        { metric: "first_look_age_most", unit: "ms", value: Math.max(...ages), samples: ages },
      ];
    } finally {
      await platform.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** Rank and watcher are on one machine, so their wall clocks are one. */
async function delays(user: FlowClients): Promise<number[]> {
  const { runId } = await submit(user, POINTS);
  const found: number[] = [];
  for await (const { points } of user.tracking.tailRun({ runId }, { timeoutMs: 0 })) {
    const now = Date.now();
    for (const { key, step, value } of points) {
      if (key === KEY && Number(step) >= WARM_UP) found.push(now - value);
    }
  }
  if (found.length < POINTS - WARM_UP)
    throw new Error(`${found.length} points were seen, ${POINTS - WARM_UP} were logged`);
  return found;
}

/** Of a read that nobody came before: the time since the newest point that it shows, when it has shown it. */
async function firstLooks(user: FlowClients): Promise<number[]> {
  const lasting = Math.ceil(((LOOKS + 2) * UNSEEN_MS) / PAUSE_MS);
  const { id, runId } = await submit(user, lasting);
  const ages: number[] = [];
  while (ages.length < LOOKS) {
    await sleep(UNSEEN_MS);
    const { points } = await user.tracking.getMetricHistory({ runId, keys: [KEY] });
    const newest = points.at(-1)?.value;
    if (newest !== undefined) ages.push(Date.now() - newest);
  }
  await user.scheduler.cancelJob({ requestId: randomUUID(), jobId: id });
  return ages;
}

async function submit(user: FlowClients, points: number): Promise<scheduler.Job> {
  const code = await bundle(join(checkoutRoot, "tools/bench/peers"), [SCRIPT]);
  const spec = create(scheduler.JobSpecSchema, {
    name: "visible",
    ranks: 1,
    slotsPerRank: 1,
    code: { digest: await user.upload(code), sizeBytes: BigInt(code.length) },
    entrypoint: [SCRIPT],
    env: { POINTS: String(points), PAUSE_MS: String(PAUSE_MS) },
  });
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  if (job === undefined) throw new Error("the scheduler answered without a job");
  return job;
}
