import { randomUUID } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { tracking } from "@trainyard/contracts";
import { assertArtifactPath, DomainError } from "@trainyard/domain";
import { uploadBlob } from "../client/upload-blob.ts";
import { hashFile } from "../pack/hash-file.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { progressBar } from "../terminal/progress-bar.ts";
import type { Column } from "../terminal/table.ts";
import { downloadFile } from "./download-file.ts";
import { filesBelow, folderOf } from "./list-artifacts.ts";

export interface ListFlags {
  readonly recursive?: boolean;
}

/** Lists a folder. */
export async function list(session: Session, runId: string, path: string, flags: ListFlags): Promise<void> {
  const { artifacts } = await session.clients();
  const entries =
    flags.recursive === true
      ? await filesBelow(artifacts, runId, path)
      : await folderOf(artifacts, runId, path);
  if (session.json) {
    const schema = tracking.ListArtifactTreeResponseSchema;
    session.printMessage(schema, { $typeName: "trainyard.tracking.v1.ListArtifactTreeResponse", entries });
    return;
  }
  const columns: Column<tracking.ArtifactEntry>[] = [
    { title: "path", cell: (entry) => `${entry.path}${entry.isFolder ? "/" : ""}` },
    { title: "size", cell: (entry) => formatBytes(entry.sizeBytes) },
    { title: "files", cell: (entry) => (entry.isFolder ? String(entry.fileCount) : "") },
    { title: "recorded", cell: (entry) => session.time(entry.createdAt) },
    { title: "sha256", cell: (entry) => entry.digest.slice(0, 12) },
  ];
  session.printTable(
    columns,
    entries,
    path === "" ? "The run keeps no files." : `There is nothing in ${path}.`,
  );
}

export interface GetFlags {
  readonly output: string;
  readonly archive?: boolean;
  readonly force?: boolean;
}

/** Downloads a file, or a folder with everything below it. */
export async function get(session: Session, runId: string, path: string, flags: GetFlags): Promise<void> {
  const { artifacts } = await session.clients();
  if (flags.archive === true) {
    const { downloadArchive } = await import("./download-archive.ts");
    const file = await downloadArchive(session.address, runId, path, flags.output);
    session.say(file);
    return;
  }
  const file = path === "" ? undefined : await artifactAt(artifacts, runId, path);
  const files = file === undefined ? await filesBelow(artifacts, runId, path) : [file];
  if (files.length === 0) throw nothingThere(runId, path);
  const total = files.reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0);
  const bar = progressBar("downloading", total);
  let done = 0;
  try {
    for (const { path: at, digest, sizeBytes } of files) {
      // Paths come from the platform; what they may be is checked again before a file is made of one.
      assertArtifactPath("path", at);
      const target =
        file === undefined ? join(flags.output, relativeTo(path, at)) : await fileTarget(flags.output, at);
      const source = { digest, sizeBytes: Number(sizeBytes) };
      await downloadFile(session.address, source, target, {
        force: flags.force === true,
        onProgress: (bytes) => bar.update(done + bytes),
      });
      done += Number(sizeBytes);
    }
  } finally {
    bar.end();
  }
  session.say(`${files.length} ${files.length === 1 ? "file" : "files"}, ${formatBytes(total)}`);
}

/** Uploads a file, or a folder with everything below it. */
export async function put(
  session: Session,
  runId: string,
  source: string,
  path: string | undefined,
): Promise<void> {
  const root = path ?? basename(source);
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory();
  if (isFolder === undefined) {
    throw new DomainError("not_found", "FILE_NOT_FOUND", `There is no file or folder ${source}.`);
  }
  for (const name of isFolder ? await filesIn(source) : [""]) {
    const at = name === "" ? root : `${root}/${name}`;
    await putFile(session, runId, join(source, name), at.normalize("NFC"));
  }
}

async function putFile(session: Session, runId: string, file: string, path: string): Promise<void> {
  assertArtifactPath("path", path);
  const { digest, sizeBytes } = await hashFile(file);
  const bar = progressBar(`uploading ${path}`, sizeBytes);
  const blob = { digest, sizeBytes, content: { file } };
  const { sent } = await uploadBlob(session.address, blob, bar.update).finally(bar.end);
  const { artifacts } = await session.clients();
  const request = { requestId: randomUUID(), runId, path, digest, sizeBytes: BigInt(sizeBytes) };
  const answer = await artifacts.putArtifact(request);
  if (session.json) session.printMessage(tracking.PutArtifactResponseSchema, answer, { indent: 0 });
  else session.print(`${path}  ${formatBytes(sizeBytes)}${sent ? "" : ", known already"}  ${digest}`);
}

export interface RemoveFlags {
  readonly recursive?: boolean;
}

/** Takes a file or folder out of a run. */
export async function remove(
  session: Session,
  runId: string,
  path: string,
  flags: RemoveFlags,
): Promise<void> {
  const { artifacts } = await session.clients();
  const recursive = flags.recursive === true;
  const answer = await artifacts.deleteArtifact({ requestId: randomUUID(), runId, path, recursive });
  if (session.json) session.printMessage(tracking.DeleteArtifactResponseSchema, answer);
  else if (answer.deletedCount === 0n) throw nothingThere(runId, path);
  else session.print(`${answer.deletedCount} files, ${formatBytes(answer.deletedBytes)}`);
}

async function artifactAt(
  artifacts: Awaited<ReturnType<Session["clients"]>>["artifacts"],
  runId: string,
  path: string,
): Promise<tracking.ArtifactEntry | undefined> {
  const slash = path.lastIndexOf("/");
  const siblings = await folderOf(artifacts, runId, slash === -1 ? "" : path.slice(0, slash));
  return siblings.find((entry) => entry.path === path && !entry.isFolder);
}

/** A folder as the target takes the file under its own name. */
async function fileTarget(output: string, path: string): Promise<string> {
  const isFolder = (await stat(output).catch(() => undefined))?.isDirectory() === true;
  return isFolder ? join(output, basename(path)) : output;
}

function relativeTo(folder: string, path: string): string {
  return folder === "" ? path : path.slice(folder.length + 1);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, "/").length))
    .sort();
}

function nothingThere(runId: string, path: string): DomainError {
  const where = path === "" ? "no files" : `nothing at ${JSON.stringify(path)}`;
  return new DomainError("not_found", "ARTIFACT_NOT_FOUND", `Run ${runId} keeps ${where}.`);
}
