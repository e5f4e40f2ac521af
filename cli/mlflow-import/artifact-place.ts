import { readdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { DomainError } from "@trainyard/domain";
import type { MlflowFile } from "./mlflow-source.ts";
import { s3Files } from "./s3-files.ts";

/** Where to look for files whose place is written down as it was on another machine. */
export interface ArtifactPlaces {
  /** Relative places are relative to this folder: the server's working directory. */
  readonly base: string;
  /** What the server kept under mlflow-artifacts:/ ; undefined when nobody said. */
  readonly served: string | undefined;
  /** A second place to look: where the run's files are when its folder was moved as a whole. */
  readonly beside?: string;
}

/**
 * The files at an artifact URI: a path, file:, mlflow-artifacts: (where the folder behind it is known), or s3:. Throws
 * ARTIFACTS_UNREACHABLE for any other, saying why, and ARTIFACTS_NOT_HERE.
 */
export async function* artifactFiles(uri: string, places: ArtifactPlaces): AsyncGenerator<MlflowFile> {
  if (uri.startsWith("s3://")) {
    yield* s3Files(uri);
    return;
  }
  const folder = localFolder(uri, places);
  const found = (await isFolder(folder)) ? folder : places.beside;
  if (found === undefined || !(await isFolder(found))) {
    // A run without files has no folder; where that of its experiment is missing too, the files are likely elsewhere.
    const experiment = dirname(dirname(folder));
    if (!(await isFolder(experiment))) throw notHere(experiment);
    return;
  }
  yield* filesBelow(found);
}

function localFolder(uri: string, { base, served }: ArtifactPlaces): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(uri)?.[1];
  if (scheme === undefined) return resolve(base, uri);
  if (scheme === "file")
    return URL.canParse(uri) ? fileURLToPath(uri) : resolve(base, uri.slice("file:".length));
  if (scheme === "mlflow-artifacts") {
    if (served !== undefined) return join(served, uri.replace(/^mlflow-artifacts:(\/\/[^/]*)?\/*/, ""));
    throw unreachable(
      uri,
      "name the folder that the server keeps it in by --artifacts, or import from the server",
    );
  }
  throw unreachable(uri, "import from a server that can reach it");
}

async function* filesBelow(folder: string): AsyncGenerator<MlflowFile> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort())
    yield { path: relative(folder, file).split(sep).join("/"), content: { file } };
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

function notHere(folder: string): DomainError {
  return new DomainError(
    "not_found",
    "ARTIFACTS_NOT_HERE",
    `${folder}, where MLflow kept the files of these runs, is not on this machine: if they had any, copy it here and import again, or import from the server`,
  );
}

function unreachable(uri: string, what: string): DomainError {
  return new DomainError(
    "failed_precondition",
    "ARTIFACTS_UNREACHABLE",
    `files at ${uri} cannot be read from here: ${what}`,
  );
}
