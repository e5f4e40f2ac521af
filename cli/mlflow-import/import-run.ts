import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { tracking } from "@trainyard/contracts";
import { isDomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { callError } from "../client/call-error.ts";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import type { Problems } from "../moving/problems.ts";
import { completeTag, type RunWriter, withoutSource } from "../moving/run-writer.ts";
import { writeSeries } from "../moving/write-series.ts";
import { hashFile } from "../pack/hash-file.ts";
import { contextOf } from "./file-store.ts";
import {
  type MlflowFile,
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

/** What importing runs needs. */
export interface ImportDeps {
  readonly clients: Clients;
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
  const { files, isWhole } = await importFiles({ clients, writer, problems, signal }, opened.id, source, run);
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

async function importFiles(
  { clients, writer, problems, signal }: ImportDeps,
  runId: string,
  source: MlflowSource,
  run: MlflowRun,
): Promise<{ readonly files: number; readonly isWhole: boolean }> {
  const { artifacts } = await clients.tracking.listArtifacts({ runId });
  const known = new Map(artifacts.map(({ path, digest }) => [path, digest]));
  let sent = 0;
  try {
    for await (const file of source.files(run)) {
      signal.throwIfAborted();
      sent += Number(await importFile(writer, runId, file, known));
    }
  } catch (error) {
    if (!isDomainError(error) || !tellable.has(error.reason)) throw error;
    // Of many runs it is the same folder that is missing: that is told once.
    problems.add(error.reason === "ARTIFACTS_NOT_HERE" ? "files" : `files of run ${run.id}`, error.message);
    return { files: sent, isWhole: false };
  }
  return { files: sent, isWhole: true };
}

/** A run's files that cannot be had keep neither the run nor the others out. */
const tellable = new Set(["ARTIFACTS_UNREACHABLE", "ARTIFACTS_NOT_HERE", "MLFLOW_REFUSED"]);

async function importFile(
  writer: RunWriter,
  runId: string,
  { path, content }: MlflowFile,
  known: ReadonlyMap<string, string>,
): Promise<boolean> {
  const name = path.normalize("NFC");
  if ("file" in content) {
    const { digest, sizeBytes } = await hashFile(content.file);
    if (known.get(name) === digest) return false;
    return writer.artifact(runId, name, { digest, sizeBytes, content });
  }
  const folder = await mkdtemp(join(tmpdir(), "trainyard-import-"));
  try {
    const file = join(folder, "file");
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const measured = async function* () {
      for await (const chunk of content.download()) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    };
    await pipeline(Readable.from(measured()), createWriteStream(file, { mode: 0o600 }));
    const digest = hash.digest("hex");
    if (known.get(name) === digest) return false;
    return await writer.artifact(runId, name, { digest, sizeBytes, content: { file } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
