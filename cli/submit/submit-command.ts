import { randomUUID } from "node:crypto";
import { basename, dirname, resolve } from "node:path";
import { scheduler } from "@trainyard/contracts";
import { retryUnavailable } from "../client/retry.ts";
import { follow } from "../follow/follow-job.ts";
import type { JobFile } from "../job-file/job-schema.ts";
import { jobSpec } from "../job-file/job-spec.ts";
import { readJobFile } from "../job-file/read-job-file.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { checkJob } from "./check-job.ts";
import { setParams } from "./set-params.ts";
import { startFromText } from "./start-from.ts";
import { uploadCode } from "./upload-code.ts";

/** The options of `submit`. */
export interface SubmitFlags {
  readonly follow?: boolean;
  readonly set?: readonly string[];
  readonly name?: string;
  readonly from?: string;
  readonly requestId?: string;
}

/** The options of `run`. */
export interface RunFlags {
  readonly ranks?: number;
  readonly slotsPerRank?: number;
  readonly slotKind?: string;
  readonly name?: string;
  readonly set?: readonly string[];
  readonly dataset?: string;
  readonly framework?: string;
  readonly model?: string;
  readonly queue?: string;
  readonly from?: string;
  readonly retries?: number;
  readonly seed?: number;
  readonly detach?: boolean;
  readonly requestId?: string;
}

/** Submits a job file, and follows the job if asked to. */
export async function submitFile(session: Session, file: string, flags: SubmitFlags): Promise<number> {
  const { job, source } = await readJobFile(file);
  const changed = checkJob(
    {
      ...job,
      ...(flags.name === undefined ? {} : { name: flags.name, experiment: job.experiment ?? job.name }),
      // The schema admits JSON values only.
      params: setParams(job.params as Parameters<typeof setParams>[0], flags.set ?? []),
    },
    { name: "--name", params: "--set" },
  );
  const folder = resolve(dirname(file), job.code);
  return submit(session, {
    job: changed,
    folder,
    source,
    from: flags.from,
    requestId: flags.requestId,
    follow: flags.follow === true,
  });
}

/** Submits this folder with a script, as if there were a job file, and follows unless told not to. */
export async function runScript(
  session: Session,
  script: readonly string[],
  flags: RunFlags,
): Promise<number> {
  const job = checkJob(
    {
      name: flags.name ?? nameOf(script),
      entrypoint: script,
      params: setParams({}, flags.set ?? []),
      ...given("ranks", flags.ranks),
      ...given("slotsPerRank", flags.slotsPerRank),
      ...given("slotKind", flags.slotKind),
      ...given("framework", flags.framework),
      ...given("queue", flags.queue),
      ...given("retries", flags.retries),
      ...given("seed", flags.seed),
      ...(flags.model === undefined ? {} : { model: { name: flags.model } }),
      ...(flags.dataset === undefined ? {} : { dataset: datasetOf(flags.dataset) }),
    },
    {
      name: "--name",
      framework: "--framework",
      queue: "--queue",
      slotKind: "--slot-kind",
      dataset: "--dataset",
      model: "--model",
      entrypoint: "SCRIPT",
    },
  );
  return submit(session, {
    job,
    folder: process.cwd(),
    source: "",
    from: flags.from,
    requestId: flags.requestId,
    follow: flags.detach !== true,
  });
}

interface Submission {
  readonly job: JobFile;
  readonly folder: string;
  readonly source: string;
  readonly from: string | undefined;
  readonly requestId: string | undefined;
  readonly follow: boolean;
}

async function submit(session: Session, submission: Submission): Promise<number> {
  const startFrom = submission.from === undefined ? undefined : startFromText(submission.from);
  const code = await uploadCode(session, submission.folder);
  const { scheduler: client } = await session.clients();
  const spec = jobSpec(submission.job, code, submission.source);
  if (startFrom !== undefined) spec.startFrom = startFrom;
  const request = { requestId: submission.requestId ?? randomUUID(), spec };
  // The request id makes the repetition harmless: the same job is answered.
  const response = await retryUnavailable(() => client.submitJob(request));
  const id = response.job?.id ?? "";
  if (session.json && !submission.follow) session.printMessage(scheduler.SubmitJobResponseSchema, response);
  session.say(
    `${style.dim("submitted")}  ${style.bold(id)}  ${style.dim(`run ${response.job?.runId ?? ""}`)}`,
  );
  const from = response.job?.spec?.startFrom;
  if (from !== undefined)
    session.say(style.dim(`from       ${from.runId} at step ${from.step} (${from.checkpointId})`));
  if (submission.follow) return follow(session, id);
  session.say(style.dim(`follow it with: npx trainyard status ${id} -f`));
  return 0;
}

function nameOf(script: readonly string[]): string {
  const [first = "", second = ""] = script;
  const name = first === "-m" ? second : basename(first).replace(/\.py$/, "");
  return name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "") || "run";
}

function datasetOf(text: string): { readonly name: string; readonly version?: string } {
  const at = text.lastIndexOf("@");
  return at < 1 ? { name: text } : { name: text.slice(0, at), version: text.slice(at + 1) };
}

function given<T>(key: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [key]: value };
}
