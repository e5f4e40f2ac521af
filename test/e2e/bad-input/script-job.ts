import { randomUUID } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import type { FlowClients } from "../../flow/clients.ts";
import { bundle } from "../../flow/digits.ts";

/** A job's spec for a script of a few lines, its code uploaded: a plain program, so that it starts at once. */
export async function scriptSpec(
  user: FlowClients,
  dir: string,
  script: string,
  more: Partial<Omit<scheduler.JobSpec, "$typeName" | "$unknown">> = {},
): Promise<scheduler.JobSpec> {
  const folder = await mkdtemp(join(dir, "code-"));
  await writeFile(join(folder, "main.py"), script);
  const code = await bundle(folder, ["main.py"]);
  const digest = await user.upload(code);
  return create(scheduler.JobSpecSchema, {
    name: "script",
    ranks: 1,
    framework: scheduler.Framework.PROCESS,
    code: create(scheduler.CodeRefSchema, { digest, sizeBytes: BigInt(code.length) }),
    entrypoint: ["main.py"],
    ...more,
  });
}

/** Submits a spec and waits until the job and the record of its run have ended. */
export async function runToEnd(user: FlowClients, spec: scheduler.JobSpec): Promise<scheduler.Job> {
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  return jobEnd(user, job?.id ?? "");
}

/** Waits until a job and the record of its run have ended. */
export function jobEnd(user: FlowClients, jobId: string): Promise<scheduler.Job> {
  return waitFor(
    `the end of ${jobId}`,
    async () => {
      const { job } = await user.scheduler.getJob({ jobId });
      if (job === undefined || job.state < scheduler.JobState.SUCCEEDED) return undefined;
      const { run } = await user.tracking.getRun({ runId: job.runId });
      return (run?.status ?? 0) >= tracking.RunStatus.COMPLETED ? job : undefined;
    },
    { timeoutMs: 180_000, intervalMs: 50 },
  );
}
