/**
 * npm run frameworks
 *
 * Runs examples/frameworks as jobs on a real platform: Lightning, Accelerate and the Hugging Face Trainer, unmodified from
 * torchrun, in an environment that the node builds with uv (about 130 MB from the package registry; torch is the node's).
 * Ends with 0 when each has trained one model on two ranks and took the platform for the launcher that it knows.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { type FlowClients, flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle } from "@trainyard/test/flow/digits.ts";
import { waitFor } from "@trainyard/testing";
import { jobSpec } from "../../cli/job-file/job-spec.ts";
import { readJobFile } from "../../cli/job-file/read-job-file.ts";
import { startUp } from "../start-up.ts";

const folder = join(checkoutRoot, "examples/frameworks");
const RANKS = 2;
/** Building the environment and importing everything, on a slow machine. */
const TIMEOUT_MS = 600_000;
/** What each framework says of a launcher that it has detected; "NO" and "not_parallel" are what they say of none. */
const detected: Readonly<Record<string, string>> = {
  lightning: "TorchElasticEnvironment",
  accelerate: "MULTI_CPU",
  transformers: "distributed",
};

async function runJob(user: FlowClients, file: string): Promise<{ job: scheduler.Job; output: string }> {
  const { job, source } = await readJobFile(join(folder, file));
  const code = await bundle(
    folder,
    readdirSync(folder).filter((name) => /\.(py|txt)$/.test(name)),
  );
  const spec = jobSpec(job, { digest: await user.upload(code), sizeBytes: code.length }, source);
  const { job: accepted } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  const ended = await waitFor(
    `the end of ${file}`,
    async () => {
      const { job: now } = await user.scheduler.getJob({ jobId: accepted?.id ?? "" });
      return now !== undefined && now.state >= scheduler.JobState.SUCCEEDED ? now : undefined;
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: 500 },
  );
  let output = "";
  for await (const { lines } of user.tracking.readLogs({ runId: ended.runId }))
    output += `${lines.join("\n")}\n`;
  return { job: ended, output };
}

/** What rank 0 has told; undefined when it has told nothing. */
function toldIn(output: string): { readonly launcher: string; readonly ranks: number } | undefined {
  const line = /^\{"launcher": .*\}$/m.exec(output)?.[0];
  // Printed by examples/frameworks/data.py.
  return line === undefined ? undefined : (JSON.parse(line) as { launcher: string; ranks: number });
}

const dir = mkdtempSync(join(tmpdir(), "trainyard-frameworks-"));
const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
let failures = 0;
try {
  const user = flowClients(platform.url, platform.tokens.submitter);
  for (const [name, launcher] of Object.entries(detected)) {
    const began = performance.now();
    const { job, output } = await runJob(user, `${name}.yaml`);
    const told = toldIn(output);
    const passed =
      job.state === scheduler.JobState.SUCCEEDED && told?.launcher === launcher && told.ranks === RANKS;
    if (!passed) failures += 1;
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    const what = told === undefined ? (job.failure?.message ?? "it told nothing") : JSON.stringify(told);
    console.log(`${passed ? "passed" : "FAILED"}  ${name.padEnd(13)}${seconds} s  ${what}`);
    if (!passed) console.log(job.failure?.tracebackTail || output.slice(-4_000));
  }
} finally {
  await platform.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(failures === 0 ? 0 : 1);
