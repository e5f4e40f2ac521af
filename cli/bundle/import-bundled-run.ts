import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { z } from "zod";
import type { Clients } from "../client/clients.ts";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import type { BlobSource } from "../client/upload-blob.ts";
import { originPath } from "../compare/load-run.ts";
import { paramTexts } from "../compare/run-facts.ts";
import type { Problems } from "../moving/problems.ts";
import { completeTag, type RunWriter, requestId, withoutSource } from "../moving/run-writer.ts";
import { writeSeries } from "../moving/write-series.ts";
import { timestampMs } from "../terminal/time.ts";
import { entryName, filesSchema } from "./bundle-format.ts";
import { readPointsFile } from "./points-file.ts";
import { type Bundle, invalid } from "./read-bundle.ts";

/** What importing runs of a bundle needs. */
export interface BundleDeps {
  readonly clients: Clients;
  readonly writer: RunWriter;
  readonly problems: Problems;
  readonly signal: AbortSignal;
  readonly bundle: Bundle;
}

/** Where an imported run keeps every point with its rank and attempt: the platform takes points from outside without. */
const pointsPath = "trainyard/points.ndjson.gz";

/** A run that was exported while it ran is kept open for so long, for a later bundle of it. */
const idleLimitSeconds = 7 * 24 * 60 * 60;
/** Up to here a file is held in memory on its way. */
const inMemoryBytes = 8 * 1024 * 1024;
const maxNotes = 10_000;

/** Brings one run over, as far as it is not there yet. */
export async function importBundledRun(
  deps: BundleDeps,
  run: tracking.Run,
  experiment: string,
  parentRunId: string | undefined,
): Promise<{ runId: string; outcome: "new" | "continued" | "known"; points: number; files: number }> {
  const { clients, writer, problems, signal, bundle } = deps;
  const startedAt = run.startedAt ?? run.createdAt;
  const { run: opened, isNew } = await writer.open({
    source: { kind: "bundle", runId: run.id },
    experiment,
    name: run.name,
    startedAtMs: startedAt === undefined ? undefined : timestampMs(startedAt),
    idleLimitSeconds,
    ...(parentRunId === undefined ? {} : { parentRunId }),
  });
  const runId = opened.id;
  const whole = stateOf(bundle, run.id);
  if (opened.tags[completeTag] === whole) return { runId, outcome: "known", points: 0, files: 0 };
  crashPoint("import.run.opened");
  await writer.params(runId, paramTexts(run));
  await writer.tags(runId, withoutSource(run.tags));
  await writer.note(runId, run.note);
  await logInputs(deps, runId, run);
  await addNotes(deps, runId, run);
  const points = readPointsFile(bundle.stream(entryName.points(run.id)));
  const stored = await writeSeries(clients, writer, problems, runId, points, signal);
  crashPoint("import.points.sent");
  const files = await importFiles(deps, runId, run);
  await end(writer, runId, run);
  crashPoint("import.run.ended");
  await writer.tags(runId, { [completeTag]: whole });
  return { runId, outcome: isNew ? "new" : "continued", points: stored, files };
}

/** What a run of a bundle is whole by. */
function stateOf(bundle: Bundle, id: string): string {
  const parts = [entryName.run(id), entryName.notes(id), entryName.files(id), entryName.points(id)];
  return requestId(...parts.map((name) => bundle.digest(name)));
}

async function end(writer: RunWriter, runId: string, run: tracking.Run): Promise<void> {
  const { COMPLETED, FAILED, KILLED } = tracking.RunStatus;
  if (run.failure !== undefined)
    await writer.tags(runId, { "trainyard.end_message": run.failure.message.slice(0, 1000) });
  if (run.status === COMPLETED || run.status === FAILED || run.status === KILLED)
    await writer.status(runId, run.status, run.endedAt === undefined ? undefined : timestampMs(run.endedAt));
}

/** Beside what it was given there, the dataset version that its job had. */
async function logInputs({ clients, problems }: BundleDeps, runId: string, run: tracking.Run): Promise<void> {
  const { dataset } = run;
  const inputs = run.inputs.map(({ $typeName: _name, $unknown: _unknown, ...input }) => input);
  if (dataset !== undefined)
    inputs.push({
      name: dataset.name,
      digest: dataset.schemaHash.slice(0, 64),
      sourceType: "trainyard",
      source: JSON.stringify({
        name: dataset.name,
        version: dataset.version,
        manifest: dataset.manifestDigest,
      }),
      schema: "",
      profile: "",
      context: "training",
      tags: {},
    });
  if (inputs.length === 0) return;
  try {
    await retryUnavailable(() => clients.runs.logInputs({ requestId: randomUUID(), runId, inputs }));
  } catch (error) {
    problems.add(`the datasets of run ${run.id}`, error instanceof Error ? error.message : String(error));
  }
}

/** Notes say who wrote them when; those that are there with the same words are not written again. */
async function addNotes({ clients, bundle }: BundleDeps, runId: string, run: tracking.Run): Promise<void> {
  const value = await bundle.json(entryName.notes(run.id), z.json());
  const { notes } = fromJson(tracking.ListNotesResponseSchema, value as JsonValue, {
    ignoreUnknownFields: true,
  });
  if (notes.length === 0) return;
  const { items } = await collectPages(maxNotes, async (page) => {
    const response = await retryUnavailable(() => clients.runs.listNotes({ runId, page }));
    return { items: response.notes, next: response.page?.nextPageToken ?? "" };
  });
  const placed = (text: string, { step, key }: tracking.Note) =>
    step === undefined ? [text] : [text, String(step), key];
  const there = new Set(items.map((note) => JSON.stringify(placed(note.text, note))));
  for (const note of notes) {
    const { text, createdBy, createdAt, step, key } = note;
    const at = createdAt === undefined ? "" : `, ${timestampDate(createdAt).toISOString()}`;
    const told = `${text}\n\n_${createdBy}${at}_`;
    const place = step === undefined ? {} : { step, key };
    const said = placed(told, note);
    if (there.has(JSON.stringify(said))) continue;
    await clients.runs.addNote({ requestId: requestId("note", runId, ...said), runId, text: told, ...place });
  }
}

async function importFiles(deps: BundleDeps, runId: string, run: tracking.Run): Promise<number> {
  const { clients, writer, bundle, signal } = deps;
  const { artifacts } = await retryUnavailable(() => clients.tracking.listArtifacts({ runId }));
  const known = new Map(artifacts.map(({ path, digest }) => [path, digest]));
  const { files } = await bundle.json(entryName.files(run.id), filesSchema);
  const entries = [
    ...files.map(({ path, digest }) => ({ path, entry: entryName.blob(digest) })),
    { path: originPath, entry: entryName.run(run.id) },
    ...(run.jobId === "" ? [] : [{ path: pointsPath, entry: entryName.points(run.id) }]),
  ];
  let sent = 0;
  for (const { path, entry } of entries) {
    signal.throwIfAborted();
    if (!bundle.has(entry)) throw invalid(`${path} of ${run.id} is not in it`);
    if (known.get(path.normalize("NFC")) === bundle.digest(entry)) continue;
    sent += Number(await withBlob(bundle, entry, (blob) => writer.artifact(runId, path, blob)));
    crashPoint("import.file.sent");
  }
  return sent;
}

/** The content of an entry for an upload: in memory, or where it is large in a file meanwhile. */
async function withBlob<T>(bundle: Bundle, entry: string, use: (blob: BlobSource) => Promise<T>): Promise<T> {
  const [digest, sizeBytes] = [bundle.digest(entry), bundle.size(entry)];
  if (sizeBytes <= inMemoryBytes)
    return use({ digest, sizeBytes, content: { bytes: await bundle.bytes(entry) } });
  const folder = await mkdtemp(join(tmpdir(), "trainyard-import-"));
  try {
    const file = join(folder, "file");
    await pipeline(bundle.stream(entry), createWriteStream(file, { mode: 0o600 }));
    return await use({ digest, sizeBytes, content: { file } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
