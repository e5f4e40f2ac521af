import { randomUUID } from "node:crypto";
import { tracking } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { callError } from "../client/call-error.ts";
import type { Clients } from "../client/clients.ts";
import type { PlatformAddress } from "../client/find-platform.ts";
import { retryUnavailable } from "../client/retry.ts";
import type { Problems } from "../moving/problems.ts";
import { completeTag, type RunWriter, withoutSource } from "../moving/run-writer.ts";
import { writeSeries } from "../moving/write-series.ts";
import { importFiles } from "./import-files.ts";
import {
  contextOf,
  type MlflowRun,
  type MlflowSource,
  type MlflowStatus,
  mlflowTags,
} from "./mlflow-source.ts";

const { RunStatus } = tracking;

/** A run that is still written by its own client elsewhere is kept open for so long. */
const idleLimitSeconds = 7 * 24 * 60 * 60;

const statuses: Readonly<Record<MlflowStatus, tracking.RunStatus>> = {
  SCHEDULED: RunStatus.QUEUED,
  RUNNING: RunStatus.RUNNING,
  FINISHED: RunStatus.COMPLETED,
  FAILED: RunStatus.FAILED,
  KILLED: RunStatus.KILLED,
};

/** What importing needs. */
export interface ImportDeps {
  readonly clients: Clients;
  readonly address: PlatformAddress;
  readonly writer: RunWriter;
  readonly problems: Problems;
  readonly signal: AbortSignal;
}

/** What was brought over of one run. */
export interface ImportedRun {
  readonly runId: string;
  readonly outcome: "new" | "continued" | "known";
  readonly points: number;
  readonly files: number;
}

/**
 * Brings one run over. What is there already is not sent again: points by how many of each metric the platform has, files by
 * their content. So an import may be stopped anywhere, and a run that went on since is completed by the next one.
 */
export async function importRun(
  { clients, writer, problems, signal }: ImportDeps,
  source: MlflowSource,
  run: MlflowRun,
  experiment: string,
  parentRunId: string | undefined,
): Promise<ImportedRun> {
  const { run: opened, isNew } = await writer.open({
    source: { kind: "mlflow", runId: run.id },
    experiment,
    name: run.name,
    startedAtMs: run.startTimeMs,
    idleLimitSeconds,
    ...(parentRunId === undefined ? {} : { parentRunId }),
  });
  const state = stateOf(run);
  if (opened.tags[completeTag] === state) return { runId: opened.id, outcome: "known", points: 0, files: 0 };
  crashPoint("import.run.opened");
  await writer.params(opened.id, run.params);
  await writer.tags(opened.id, withoutSource(run.tags));
  await writer.note(opened.id, run.tags[mlflowTags.note] ?? "");
  await logInputs(clients, problems, opened.id, run);
  const points = await writeSeries(clients, writer, problems, opened.id, source.points(run), signal);
  crashPoint("import.points.sent");
  const { artifacts } = await clients.tracking.listArtifacts({ runId: opened.id });
  const { files, isWhole } = await importFiles(source.files(run), {
    known: new Map(artifacts.map(({ path, digest }) => [path, digest])),
    put: (path, blob) => writer.artifact(opened.id, path, blob),
    of: `run ${run.id}`,
    problems,
    signal,
  });
  const status = statuses[run.status];
  // A run that ran where it was copied from is not running here; its idle limit ends it unless it is brought over again.
  if (status !== RunStatus.RUNNING && status !== RunStatus.QUEUED)
    await writer.status(opened.id, status, run.endTimeMs);
  crashPoint("import.run.ended");
  // Files that could not be had are looked for again the next time.
  if (isWhole) await writer.tags(opened.id, { [completeTag]: state });
  return { runId: opened.id, outcome: isNew ? "new" : "continued", points, files };
}

/** What an ended run is whole by. One that runs is looked at again each time. */
function stateOf({ status, endTimeMs, id }: MlflowRun): string {
  return status === "RUNNING" || status === "SCHEDULED"
    ? `open ${randomUUID()}`
    : `${id} ${status} ${endTimeMs ?? ""}`;
}

async function logInputs(clients: Clients, problems: Problems, runId: string, run: MlflowRun): Promise<void> {
  if (run.inputs.length === 0) return;
  const inputs = run.inputs.map((input) => ({
    name: input.name,
    digest: input.digest,
    sourceType: input.sourceType,
    source: input.source,
    schema: input.schema,
    profile: input.profile,
    tags: { ...input.tags },
    context: contextOf(input),
  }));
  try {
    await retryUnavailable(() => clients.runs.logInputs({ requestId: randomUUID(), runId, inputs }));
  } catch (error) {
    const refused = callError(error, "the platform");
    if (refused.code !== "invalid_argument" && refused.code !== "resource_exhausted") throw error;
    problems.add(`the datasets of run ${run.id}`, refused.message);
  }
}
