import { registry, tracking } from "@trainyard/contracts";
import { doesNotExist, invalidParameter } from "../domain/mlflow-error.ts";
import { type ArtifactPlace, artifactPlace } from "../domain/uris.ts";
import type { Json, MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { modelWords } from "../registry/logged-model-words.ts";
import { runWords } from "../tracking/run-words.ts";
import { entryJson, listed, type TreeFile } from "./artifact-tree.ts";

const { putArtifact, deleteArtifact, getArtifact, listArtifactTree } = tracking.ArtifactService.method;
const { putLoggedModelFile, deleteLoggedModelFiles, listLoggedModelFiles } =
  registry.LoggedModelService.method;

/** A file's content. */
export interface FileContent {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Reads a path behind `mlflow-artifacts:/`; throws for one that belongs to no run and no logged model. */
export function placeOf(path: string): ArtifactPlace {
  const place = artifactPlace(path);
  if (place !== undefined) return place;
  throw invalidParameter(
    `Artifacts are kept for runs (EXPERIMENT/RUN/artifacts/PATH) and logged models (EXPERIMENT/models/MODEL/artifacts/PATH), got ${JSON.stringify(path.slice(0, 200))}.`,
  );
}

/** Records a file that is in the blob store. */
export async function putFile(call: MlflowCall, place: ArtifactPlace, content: FileContent): Promise<void> {
  const { path } = place;
  const stored = { path, digest: content.digest, sizeBytes: BigInt(content.sizeBytes) };
  if (place.kind === "run") {
    const { runId } = place;
    await inWords(runWords(runId), () => call.rpc(putArtifact, { runId, ...stored }));
  } else {
    const { modelId: id } = place;
    await inWords(modelWords(id), () => call.rpc(putLoggedModelFile, { id, file: stored }));
  }
}

/** A file's content by its place. Throws RESOURCE_DOES_NOT_EXIST. */
export async function findFile(call: MlflowCall, place: ArtifactPlace): Promise<FileContent> {
  const missing = () => doesNotExist(`No such artifact: '${place.path}'`);
  if (place.kind === "run") {
    const { runId, path } = place;
    const words = { ...runWords(runId), ARTIFACT_NOT_FOUND: missing, ARTIFACT_PATH_INVALID: missing };
    const { artifact } = await inWords(words, () => call.rpc(getArtifact, { runId, path }));
    if (artifact === undefined) throw missing();
    return { digest: artifact.digest, sizeBytes: Number(artifact.sizeBytes) };
  }
  const file = (await modelFiles(call, place.modelId)).find(({ path }) => path === place.path);
  if (file === undefined) throw missing();
  return file;
}

/** Removes a file, or everything in a folder. */
export async function deleteFiles(call: MlflowCall, place: ArtifactPlace): Promise<void> {
  const { path } = place;
  if (place.kind === "run") {
    const { runId } = place;
    await inWords(runWords(runId), () => call.rpc(deleteArtifact, { runId, path, recursive: true }));
  } else {
    const { modelId: id } = place;
    await inWords(modelWords(id), () => call.rpc(deleteLoggedModelFiles, { id, path }));
  }
}

/** What is directly in a folder; `pathOf` says how each name is shown. */
export async function listFolder(
  call: MlflowCall,
  place: ArtifactPlace,
  pathOf: (name: string) => string,
): Promise<readonly Json[]> {
  if (place.kind === "model") return listed(await modelFiles(call, place.modelId), place.path, pathOf);
  const words = { ...runWords(place.runId), ARTIFACT_PATH_INVALID: () => invalidParameter("Invalid path") };
  const entries: Json[] = [];
  let pageToken = "";
  do {
    const request = { runId: place.runId, path: place.path, page: { pageSize: 500, pageToken } };
    const answer = await inWords(words, () => call.rpc(listArtifactTree, request));
    for (const { path, isFolder, sizeBytes } of answer.entries) {
      entries.push(entryJson(pathOf(path.slice(path.lastIndexOf("/") + 1)), isFolder, Number(sizeBytes)));
    }
    pageToken = answer.page?.nextPageToken ?? "";
  } while (pageToken !== "");
  return entries;
}

async function modelFiles(call: MlflowCall, id: string): Promise<readonly (TreeFile & FileContent)[]> {
  const { files } = await inWords(modelWords(id), () => call.rpc(listLoggedModelFiles, { id }));
  return files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes: Number(sizeBytes) }));
}
