import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toJson } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { isDomainError } from "@trainyard/domain";
import type { Clients } from "../client/clients.ts";
import { collectPages } from "../client/collect-pages.ts";
import { downloadBlob } from "../client/download-blob.ts";
import { retryUnavailable } from "../client/retry.ts";
import { changesPath, codePath } from "../compare/load-run.ts";
import { type RunSelection, selectRuns } from "../export/select-runs.ts";
import { wholeFile } from "../export/whole-file.ts";
import { Problems, problemLine } from "../moving/problems.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { type BundledFile, bundleFormat, entryName, headName } from "./bundle-format.ts";
import { writePointsFile } from "./points-file.ts";
import { TarWriter } from "./tar-writer.ts";

/** The options of `export bundle`. */
export interface ExportFlags extends RunSelection {
  readonly output: string;
  readonly force?: boolean;
}

const maxNotes = 10_000;

/** Writes runs with everything that belongs to them into one file. */
export async function exportBundle(
  session: Session,
  named: readonly string[],
  flags: ExportFlags,
): Promise<void> {
  const clients = await session.clients();
  const ids = await selectRuns(clients, named, flags);
  const problems = new Problems();
  const done = await wholeFile(flags.output, flags.force === true, (draft) =>
    new BundleExport(session, clients, problems).write(draft, ids),
  );
  const told = { output: flags.output, ...done, problems: problems.list() };
  if (session.json) session.print(JSON.stringify(told, undefined, 2));
  session.say(
    `${style.good("exported")}  ${done.runs} runs, ${done.points} points, ${done.files} files, ${formatBytes(done.sizeBytes)}: ${flags.output}`,
  );
  for (const problem of told.problems) process.stderr.write(`${safeText(problemLine(problem))}\n`);
}

/** What one export wrote. */
interface Exported {
  readonly runs: number;
  readonly points: number;
  readonly files: number;
  readonly sizeBytes: number;
}

class BundleExport {
  readonly #session: Session;
  readonly #clients: Clients;
  readonly #problems: Problems;
  #points = 0;
  #files = 0;

  constructor(session: Session, clients: Clients, problems: Problems) {
    this.#session = session;
    this.#clients = clients;
    this.#problems = problems;
  }

  async write(path: string, ids: readonly string[]): Promise<Exported> {
    const folder = await mkdtemp(join(tmpdir(), "trainyard-export-"));
    const tar = await TarWriter.create(path);
    try {
      const runs: tracking.Run[] = [];
      for (const runId of ids) runs.push(await this.#run(runId));
      const experiments = [...new Set(runs.map(({ experimentId }) => experimentId))];
      await tar.addJson(headName, {
        format: bundleFormat,
        version: 1,
        createdAt: new Date().toISOString(),
        experiments,
        runs: runs.map(({ id }) => id),
      });
      for (const id of experiments) await this.#writeExperiment(tar, id);
      for (const run of runs) await this.#writeRun(tar, run, join(folder, "points"));
      const sizeBytes = await tar.finish();
      return { runs: runs.length, points: this.#points, files: this.#files, sizeBytes };
    } finally {
      await tar.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #run(runId: string): Promise<tracking.Run> {
    const { run } = await retryUnavailable(() => this.#clients.tracking.getRun({ runId }));
    if (run === undefined) throw new Error("tracking answered without a run");
    return run;
  }

  async #writeExperiment(tar: TarWriter, id: string): Promise<void> {
    const { experiment } = await retryUnavailable(() =>
      this.#clients.experiments.getExperiment({ experiment: id }),
    );
    if (experiment !== undefined)
      await tar.addJson(entryName.experiment(id), toJson(tracking.ExperimentSchema, experiment));
  }

  async #writeRun(tar: TarWriter, run: tracking.Run, draft: string): Promise<void> {
    await tar.addJson(entryName.run(run.id), toJson(tracking.RunSchema, run));
    await tar.addJson(entryName.notes(run.id), await this.#notes(run.id));
    this.#points += await writePointsFile(this.#clients, run.id, draft);
    await tar.add(entryName.points(run.id), (await stat(draft)).size, createReadStream(draft));
    const files: BundledFile[] = [];
    for (const file of await this.#filesOf(run)) {
      if (!(await this.#writeBlob(tar, run, file))) continue;
      files.push(file);
      this.#files += 1;
    }
    await tar.addJson(entryName.files(run.id), { files });
  }

  async #notes(runId: string) {
    const { items } = await collectPages(maxNotes, async (page) => {
      const response = await retryUnavailable(() => this.#clients.runs.listNotes({ runId, page }));
      return { items: response.notes, next: response.page?.nextPageToken ?? "" };
    });
    const notes = create(tracking.ListNotesResponseSchema, { notes: items.reverse() });
    return toJson(tracking.ListNotesResponseSchema, notes);
  }

  /** Its artifacts, and under names of their own its code, what was uncommitted, and its model. */
  async #filesOf(run: tracking.Run): Promise<BundledFile[]> {
    const { artifacts } = await retryUnavailable(() =>
      this.#clients.tracking.listArtifacts({ runId: run.id }),
    );
    const { code } = run.spec ?? {};
    const model = run.model?.name === "model" ? "model" : `models/${run.model?.name}`;
    const found = [
      ...artifacts.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes: Number(sizeBytes) })),
      ...(run.model?.files ?? []).map(({ path, digest, sizeBytes }) => ({
        path: `${model}/${path}`,
        digest,
        sizeBytes: Number(sizeBytes),
      })),
      { path: codePath, digest: code?.digest ?? "", sizeBytes: Number(code?.sizeBytes ?? 0n) },
      { path: changesPath, digest: code?.dirtyDiffDigest ?? "", sizeBytes: undefined },
    ];
    const named = new Map<string, BundledFile>();
    for (const { path, digest, sizeBytes } of found) {
      if (digest === "" || named.has(path)) continue;
      named.set(path, { path, digest, sizeBytes: sizeBytes ?? (await this.#sizeOf(digest)) });
    }
    return [...named.values()];
  }

  /** Of the few blobs whose size nothing tells: they are read for it. */
  async #sizeOf(digest: string): Promise<number> {
    let size = 0;
    for await (const chunk of downloadBlob(this.#session.address, digest)) size += chunk.length;
    return size;
  }

  /** Gives whether the content is in the bundle now; what the platform does not have any more is told. */
  async #writeBlob(
    tar: TarWriter,
    run: tracking.Run,
    { path, digest, sizeBytes }: BundledFile,
  ): Promise<boolean> {
    const name = entryName.blob(digest);
    if (tar.has(name)) return true;
    const content = downloadBlob(this.#session.address, digest);
    try {
      // The first piece comes before anything is written, so that what is missing leaves no trace.
      const first = await content.next();
      await tar.add(name, sizeBytes, continued(first, content));
      return true;
    } catch (error) {
      if (!isDomainError(error) || error.reason !== "BLOB_NOT_FOUND") throw error;
      this.#problems.add(`file ${path} of ${run.id}`, error.message);
      return false;
    }
  }
}

async function* continued(
  first: IteratorResult<Uint8Array>,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
