import { randomUUID } from "node:crypto";
import { registry } from "@trainyard/contracts";
import { assertArtifactPath } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import { type BlobSource, uploadBlob } from "../client/upload-blob.ts";
import { entryProblem } from "../moving/limits.ts";
import { completeTag, withoutSource } from "../moving/run-writer.ts";
import { importFiles } from "./import-files.ts";
import type { ImportDeps } from "./import-run.ts";
import type { MlflowLoggedModel, MlflowModelLink, MlflowSource } from "./mlflow-source.ts";
import { orTell } from "./or-tell.ts";

const { LoggedModelStatus } = registry;

/** The tag by which a logged model is known again. */
const originTag = "trainyard.source.model_id";
/** What the registry takes of a parameter or a tag of one. */
const maxTextBytes = 100_000;
/** Metrics or links of one call. */
const maxPerCall = 1_000;

/** What was brought over of one logged model. */
export interface ImportedModel {
  readonly id: string;
  readonly isNew: boolean;
  readonly files: number;
}

/**
 * Brings one logged model over, of a run that was brought over before where it has one: `runs` has the ids here by those
 * there. Metrics that came since are added each time; its files are sent until all of them are here, and only then does it
 * have the status that it has there.
 */
export async function importLoggedModel(
  deps: ImportDeps,
  source: MlflowSource,
  model: MlflowLoggedModel,
  experimentId: string,
  runs: ReadonlyMap<string, string>,
): Promise<ImportedModel> {
  const { clients } = deps;
  const before = await findModel(clients, experimentId, model.id);
  const opened = before ?? (await createModel(clients, experimentId, model, runs));
  const { id } = opened;
  crashPoint("import.model.opened");
  await describe(deps, opened, model);
  await measure(deps, opened, model, runs);
  crashPoint("import.model.described");
  const known = { id, isNew: before === undefined };
  if (completeTag in opened.tags) return { ...known, files: 0 };
  const stored = await clients.loggedModels.listLoggedModelFiles({ id });
  const { files, isWhole } = await importFiles(source.modelFiles(model), {
    known: new Map(stored.files.map(({ path, digest }) => [path, digest])),
    put: (path, blob) => putFile(deps, id, path, blob),
    of: `logged model ${model.id}`,
    problems: deps.problems,
    signal: deps.signal,
  });
  crashPoint("import.model.sent");
  // One that is being made there still is looked at again the next time.
  if (isWhole && model.status !== "PENDING")
    await retryUnavailable(() =>
      clients.loggedModels.updateLoggedModel({
        requestId: randomUUID(),
        id,
        status: model.status === "READY" ? LoggedModelStatus.READY : LoggedModelStatus.UPLOAD_FAILED,
        setTags: { [completeTag]: `${model.id} ${model.status}` },
      }),
    );
  return { ...known, files };
}

/** Records which logged models a run was given and made, of those that were brought over. */
export async function importLinks(
  { clients, problems }: ImportDeps,
  runId: string,
  links: readonly MlflowModelLink[],
  models: ReadonlyMap<string, string>,
): Promise<void> {
  const here = links.flatMap(({ modelId: there, output, step }) => {
    const modelId = models.get(there);
    return modelId === undefined ? [] : [{ runId, modelId, output, step }];
  });
  if (here.length < links.length)
    problems.add(
      "logged models of runs",
      "they are of no experiment that was brought over, or deleted",
      links.length - here.length,
    );
  for (let at = 0; at < here.length; at += maxPerCall)
    await retryUnavailable(() =>
      clients.loggedModels.linkLoggedModels({ runId, links: here.slice(at, at + maxPerCall) }),
    );
}

async function findModel(
  clients: Clients,
  experimentId: string,
  origin: string,
): Promise<registry.CatalogedModel | undefined> {
  const { models } = await retryUnavailable(() =>
    clients.loggedModels.searchLoggedModels({
      experimentIds: [experimentId],
      clauses: [{ tag: originTag, comparison: registry.CatalogComparison.EQUAL, values: [origin] }],
    }),
  );
  return models[0];
}

async function createModel(
  { loggedModels }: Clients,
  experimentId: string,
  { id: origin, name, modelType, sourceRunId }: MlflowLoggedModel,
  runs: ReadonlyMap<string, string>,
): Promise<registry.CatalogedModel> {
  const request = {
    requestId: randomUUID(),
    experimentId,
    name: name || origin,
    modelType,
    sourceRunId: runs.get(sourceRunId) ?? "",
    tags: { [originTag]: origin },
  };
  const { model } = await retryUnavailable(() => loggedModels.createLoggedModel(request));
  if (model === undefined) throw new Error("the registry answered without the logged model");
  return model;
}

/** Gives it the parameters and tags that it lacks. */
async function describe(
  { clients, problems }: ImportDeps,
  { id, params, tags }: registry.CatalogedModel,
  model: MlflowLoggedModel,
): Promise<void> {
  const missing = (
    what: string,
    there: Readonly<Record<string, string>>,
    here: Readonly<Record<string, string>>,
  ) =>
    Object.fromEntries(
      Object.entries(there).filter(([key, value]) => {
        const problem = entryProblem(key, value, maxTextBytes);
        if (problem !== undefined)
          problems.add(`${what} ${JSON.stringify(key.slice(0, 80))} of a logged model`, problem);
        return problem === undefined && here[key] !== value;
      }),
    );
  const update = {
    requestId: randomUUID(),
    id,
    params: missing("parameter", model.params, params),
    setTags: missing("tag", withoutSource(model.tags), tags),
  };
  if (Object.keys(update.params).length + Object.keys(update.setTags).length === 0) return;
  await orTell(problems, `parameters and tags of logged model ${model.id}`, () =>
    retryUnavailable(() => clients.loggedModels.updateLoggedModel(update)),
  );
}

/** Gives it the metrics that it lacks. */
async function measure(
  { clients, problems }: ImportDeps,
  { id, metrics, metricsOmitted }: registry.CatalogedModel,
  model: MlflowLoggedModel,
  runs: ReadonlyMap<string, string>,
): Promise<void> {
  const known = metricsOmitted ? await allMetrics(clients, id) : metrics;
  const there = new Set(known.map(nameOf));
  const missing = model.metrics
    .map(({ timeMs, runId, ...point }) => ({
      ...point,
      timeMs: BigInt(timeMs),
      runId: runs.get(runId) ?? "",
    }))
    .filter((metric) => !there.has(nameOf(metric)))
    // The registry knows the last by the order in which they come.
    .sort((one, other) => Number(one.timeMs - other.timeMs));
  for (let at = 0; at < missing.length; at += maxPerCall) {
    const request = { requestId: randomUUID(), id, metrics: missing.slice(at, at + maxPerCall) };
    await orTell(problems, `metrics of logged model ${model.id}`, () =>
      retryUnavailable(() => clients.loggedModels.logModelMetrics(request)),
    );
  }
}

async function allMetrics(
  { loggedModels }: Clients,
  id: string,
): Promise<readonly registry.LoggedModelMetric[]> {
  const metrics: registry.LoggedModelMetric[] = [];
  let pageToken = "";
  do {
    const request = { id, pageToken };
    const page = await retryUnavailable(() => loggedModels.listModelMetrics(request));
    metrics.push(...page.metrics);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return metrics;
}

type Metric = Pick<
  registry.LoggedModelMetric,
  "key" | "value" | "step" | "timeMs" | "runId" | "datasetName" | "datasetDigest"
>;

function nameOf({ key, value, step, timeMs, runId, datasetName, datasetDigest }: Metric): string {
  return [key, value, step, timeMs, runId, datasetName, datasetDigest].join("\0");
}

function putFile(
  { clients, address, problems }: ImportDeps,
  id: string,
  path: string,
  blob: BlobSource,
): Promise<boolean> {
  return orTell(problems, `file ${JSON.stringify(path.slice(0, 200))} of a logged model`, async () => {
    assertArtifactPath("path", path);
    await retryUnavailable(() => uploadBlob(address, blob));
    const file = { path, digest: blob.digest, sizeBytes: BigInt(blob.sizeBytes) };
    const request = { requestId: randomUUID(), id, file };
    await retryUnavailable(() => clients.loggedModels.putLoggedModelFile(request));
  });
}
