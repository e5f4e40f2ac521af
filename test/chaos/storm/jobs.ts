import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { type FlowClients, insist } from "../../flow/clients.ts";
import { bundle } from "../../flow/digits.ts";

/** A kind of job that a storm runs; its end is known beforehand. */
export interface JobKind {
  readonly name: string;
  readonly script: "gang.py" | "chain.py";
  readonly ranks: number;
  readonly minRanks?: number;
  readonly steps: number;
  readonly stepMs: number;
}

/** A job that was submitted. */
export interface Submitted {
  readonly kind: JobKind;
  readonly jobId: string;
  readonly runId: string;
}

/** What an unbroken run of a kind ends with, and says at each step of each rank. */
export interface Unbroken {
  readonly digest: string;
  /** `undefined` when the step has no value. */
  valueAt(rank: number, step: number): number | undefined;
}

/** The kinds, for jobs that take about so long when nothing goes wrong. */
export function jobKinds(seconds: number): readonly JobKind[] {
  const stepMs = 20;
  const steps = Math.round((seconds * 1000) / stepMs);
  return [
    { name: "gang", script: "gang.py", ranks: 2, steps, stepMs },
    { name: "elastic", script: "chain.py", ranks: 3, minRanks: 1, steps, stepMs },
    { name: "single", script: "chain.py", ranks: 1, steps, stepMs },
  ];
}

const folder = join(checkoutRoot, "test/chaos/storm");

/** Uploads a kind's code, and gives back the whole of what is submitted for it. */
export async function specOf(user: FlowClients, kind: JobKind): Promise<scheduler.JobSpec> {
  const code = await bundle(folder, [kind.script]);
  // Nothing but the storm ends these jobs, and a storm is no reason to give one up.
  const most = 1_000;
  return create(scheduler.JobSpecSchema, {
    name: kind.name,
    ranks: kind.ranks,
    minRanks: kind.minRanks ?? 0,
    slotsPerRank: 1,
    code: { digest: await insist("the code", () => user.upload(code)), sizeBytes: BigInt(code.length) },
    entrypoint: [kind.script],
    params: { steps: kind.steps, stepMs: kind.stepMs },
    checkpoint: { everySteps: 40n, keep: 2 },
    hang: { afterSeconds: 8n },
    failureBudgets: { infra: most, platform: most, data: most, preempted: most },
    seed: 3n,
  });
}

/** Submits a job, however often it takes. */
export async function submit(user: FlowClients, kind: JobKind, spec: scheduler.JobSpec): Promise<Submitted> {
  const request = { requestId: randomUUID(), spec };
  const { job } = await insist("submit", () => user.scheduler.submitJob(request));
  if (job === undefined) throw new Error("the accepted job is missing in the answer");
  return { kind, jobId: job.id, runId: job.runId };
}

/** What `chain.py` ends with: the same hashes, made here. */
export function unbrokenChain(kind: JobKind): Unbroken {
  const links = ["start"];
  for (let step = 1; step <= kind.steps; step++)
    links.push(
      createHash("sha256")
        .update(`${links.at(-1)}:${step}`)
        .digest("hex"),
    );
  const numberOf = (link: string | undefined) =>
    link === undefined ? undefined : Number.parseInt(link.slice(0, 12), 16);
  return { digest: links.at(-1) ?? "", valueAt: (_rank, step) => numberOf(links[step]) };
}
