import type { registry } from "@trainyard/contracts";
import { decodeWhole } from "../domain/decode-whole.ts";
import { invalidParameter, MlflowError } from "../domain/mlflow-error.ts";
import { assertLength } from "../domain/names.ts";
import { artifactPlace, mlflowExperimentId, modelRoot, runRoot } from "../domain/uris.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { findRun } from "../tracking/run-words.ts";
import { mlflowIdOf } from "./logged-model-json.ts";
import { findLoggedModel } from "./logged-model-words.ts";
import { findVersion } from "./model-words.ts";

/** Characters of a source. */
const MAX_SOURCE = 8_192;

/** Where a new version comes from. */
export interface VersionSource {
  readonly source: string;
  readonly runId: string;
  readonly modelId: string;
}

/** Checks where a new version is said to come from, as MLflow's server does, and completes it. */
export async function resolveSource(call: MlflowCall, given: VersionSource): Promise<VersionSource> {
  const { source } = given;
  assertLength("source", MAX_SOURCE, source);
  if (/^(?:file:|\/|[^:/]+(?:\/|$))/.test(source)) throw localSource(source, given.modelId !== "");
  if (hidden(source)) throw relativeSource(source);
  const logged = /^models:\/(m-[0-9a-f]+)$/.exec(source)?.[1];
  if (logged !== undefined) return ofLoggedModel(call, given, logged);
  const registered = /^models:\/([^/]+)\/(\d+)$/.exec(source);
  if (registered !== null) return ofVersion(call, given, registered[1] ?? "", registered[2] ?? "");
  if (source.startsWith("models:")) throw notOf(source, "model_id");
  if (given.modelId !== "") return withinModel(call, given);
  const runOfSource = /^runs:\/([^/]+)\//.exec(source)?.[1];
  if (source.startsWith("runs:")) {
    if (runOfSource === undefined || runOfSource !== given.runId) throw notOf(source, "run_id");
    return given;
  }
  if (source.startsWith("mlflow-artifacts:")) {
    const place = placeIn(source);
    if (place?.kind !== "run" || given.runId === "" || place.runId !== given.runId)
      throw notOf(source, "run_id");
    await findRun(call, given.runId);
  }
  return given;
}

/** Where a version's files are downloaded from. */
export async function downloadUri(call: MlflowCall, version: registry.ModelVersion): Promise<string> {
  const { artifactUri } = version;
  const logged = /^models:\/(m-[0-9a-f]+)$/.exec(artifactUri)?.[1];
  if (logged !== undefined) {
    const model = await findLoggedModel(call, logged, true);
    return modelRoot(await mlflowIdOf(call, model.experimentId), logged);
  }
  const ofRun = /^trainyard:\/runs\/([^/]+)\/artifacts\/(.+)$/.exec(artifactUri);
  if (ofRun !== null) {
    const run = await findRun(call, ofRun[1] ?? "");
    const experimentId = mlflowExperimentId({ id: run.experimentId, name: run.experiment });
    return `${runRoot(experimentId, run.id)}/${ofRun[2]}`;
  }
  const registered = /^models:\/([^/]+)\/(\d+)$/.exec(artifactUri);
  if (registered === null) return artifactUri;
  return downloadUri(call, await findVersion(call, registered[1] ?? "", registered[2] ?? ""));
}

async function ofLoggedModel(call: MlflowCall, given: VersionSource, id: string): Promise<VersionSource> {
  if (given.modelId !== id) throw notOf(given.source, "model_id");
  const model = await findLoggedModel(call, id).catch((error: unknown) => {
    throw error instanceof MlflowError ? notOf(given.source, "model_id") : error;
  });
  return { ...given, runId: given.runId || model.sourceRunId };
}

async function ofVersion(
  call: MlflowCall,
  given: VersionSource,
  name: string,
  number: string,
): Promise<VersionSource> {
  const of = await findVersion(call, name, number);
  return {
    source: `models:/${name}/${of.number}`,
    runId: given.runId || of.runId || of.sourceRunId,
    modelId: given.modelId || of.loggedModelId,
  };
}

async function withinModel(call: MlflowCall, given: VersionSource): Promise<VersionSource> {
  const { source, modelId } = given;
  const place = placeIn(source);
  if (source.startsWith("runs:")) throw notOf(source, "model_id");
  if (source.startsWith("mlflow-artifacts:") && (place?.kind !== "model" || place.modelId !== modelId)) {
    throw notOf(source, "model_id");
  }
  const model = await findLoggedModel(call, modelId);
  return { ...given, runId: given.runId || model.sourceRunId };
}

const placeIn = (source: string) => artifactPlace(source.replace(/^mlflow-artifacts:\/+/, ""));

function hidden(source: string): boolean {
  const text = decodeWhole(source);
  return text === undefined || text.includes("\0") || text.split("/").includes("..");
}

function notOf(source: string, field: string): MlflowError {
  return invalidParameter(
    `Invalid model version source: '${source}'. The ${field} request parameter must identify the resource that contains the source.`,
  );
}

function localSource(source: string, ofModel: boolean): MlflowError {
  const of = ofModel ? "model_id" : "run_id";
  return invalidParameter(
    `Invalid model version source: '${source}'. To use a local path as a model version source, the ${of} request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the ${of}.`,
  );
}

function relativeSource(source: string): MlflowError {
  return invalidParameter(
    `Invalid model version source: '${source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.`,
  );
}
