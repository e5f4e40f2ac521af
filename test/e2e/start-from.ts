import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { scheduler } from "@trainyard/contracts";
import { trainyard } from "../../cli/testing/command-line.ts";
import { flowClients } from "../flow/clients.ts";
import type { Fleet } from "../flow/fleet.ts";
import { digestOf, jobSucceeded, peers, SCRIPT } from "../flow/recovery.ts";

/** A run that began at a checkpoint of another one, as it ended. */
export interface TrainedFrom {
  readonly job: scheduler.Job;
  /** Of the final weights. */
  readonly digest: string;
  /** Those of which rank 0 logged a loss. */
  readonly steps: readonly number[];
  /** What `trainyard runs show` says of it. */
  readonly shown: string;
}

/** Trains the recovery job's script by the command line, from `RUN@STEP`. */
export async function trainedFrom(
  fleet: Fleet,
  dir: string,
  from: string,
  { seed, steps }: { readonly seed: bigint; readonly steps: number },
): Promise<TrainedFrom> {
  const cwd = join(dir, "start-from");
  mkdirSync(cwd);
  copyFileSync(join(peers, SCRIPT), join(cwd, SCRIPT));
  const env = `env: {RECOVERY_STEPS: ${steps}, RECOVERY_STEP_DELAY_MS: 0}`;
  writeFileSync(
    join(cwd, "job.yaml"),
    `name: started-from\nranks: 2\nseed: ${seed}\nentrypoint: [${SCRIPT}]\n${env}\n`,
  );
  const url = fleet.platform.url("gateway");
  const cli = async (...args: readonly string[]): Promise<string> => {
    const own = { TRAINYARD_URL: url, TRAINYARD_TOKEN: fleet.tokens.submitter };
    const { code, stdout, stderr } = await trainyard(args, { cwd, env: own });
    if (code !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const submitted = await cli("submit", "job.yaml", "--from", from, "--json");
  const { job } = JSON.parse(submitted) as { readonly job: { readonly id: string } };
  const user = flowClients(url, fleet.tokens.submitter);
  const ended = await jobSucceeded(user, job.id);
  const { points } = await user.tracking.getMetricHistory({ runId: ended.runId, keys: ["loss"] });
  return {
    job: ended,
    digest: await digestOf(user, ended),
    steps: points.filter(({ rank }) => rank === 0).map(({ step }) => Number(step)),
    shown: await cli("runs", "show", ended.runId),
  };
}
