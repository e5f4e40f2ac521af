import { randomUUID } from "node:crypto";
import { callError } from "../client/call-error.ts";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import { requestId } from "../moving/run-writer.ts";
import type { ImportDeps } from "./import-run.ts";
import {
  leftOutReasons,
  type MlflowModel,
  type MlflowModelVersion,
  type MlflowSource,
  mlflowTags,
} from "./mlflow-source.ts";
import { orTell } from "./or-tell.ts";

/** What was brought over before: runs and logged models here by their ids there, and where their files were there. */
export interface Brought {
  readonly runs: ReadonlyMap<string, string>;
  readonly artifactUris: ReadonlyMap<string, string>;
  readonly loggedModels: ReadonlyMap<string, string>;
  /** The ids there of logged models, by where their files were. */
  readonly loggedModelPlaces: ReadonlyMap<string, string>;
}

/** No model has more versions than are looked at. */
const maxVersions = 100_000;

/** Registers versions of models, oldest first, each in stage staging: who is champion is decided here anew. Gives how many. */
export async function importModels(
  deps: ImportDeps,
  source: MlflowSource,
  brought: Brought,
): Promise<number> {
  let registered = 0;
  for await (const model of source.models()) {
    deps.signal.throwIfAborted();
    if (model.tags[mlflowTags.prompt] === "true") deps.problems.add("prompts", leftOutReasons.prompts);
    else registered += await importModel(deps, model, brought);
  }
  return registered;
}

async function importModel(deps: ImportDeps, model: MlflowModel, brought: Brought): Promise<number> {
  const { name } = model;
  await describe(deps, name, model);
  const known = await knownVersions(deps, name);
  let registered = 0;
  for (const version of model.versions) {
    if (known.has(originOf(version))) continue;
    const made = await register(deps, name, version, brought);
    if (made === undefined) continue;
    known.set(originOf(version), made);
    registered += 1;
  }
  await alias(deps, name, model, known);
  return registered;
}

/** Makes the model with its description and tags, or gives them to the one there is. */
async function describe({ clients, problems }: ImportDeps, name: string, model: MlflowModel): Promise<void> {
  const { description } = model;
  const tags = { ...model.tags };
  await orTell(problems, `model ${model.name}`, async () => {
    try {
      const requestId = randomUUID();
      await retryUnavailable(() => clients.catalog.createModel({ requestId, name, description, tags }));
    } catch (error) {
      if (callError(error, "").code !== "already_exists") throw error;
      if (Object.keys(tags).length > 0)
        await clients.catalog.setModelTags({ requestId: randomUUID(), model: name, tags });
    }
  });
}

/** Registers a version; gives the version's name here. */
async function register(
  { clients, problems }: ImportDeps,
  model: string,
  version: MlflowModelVersion,
  brought: Brought,
): Promise<string | undefined> {
  const place = placeHere(version, brought);
  if (place === undefined)
    problems.add(
      `files of model ${version.model} version ${version.version}`,
      `they are at ${version.source}, no place of what was brought over; the version names that place`,
    );
  if (version.stage !== "None")
    problems.add(
      `stage ${version.stage} of model ${version.model} version ${version.version}`,
      "stages are reached by gates and approval here",
    );
  const request = {
    requestId: requestId("model version", model, originOf(version)),
    model,
    ...(place ?? { artifactUri: version.source }),
    notes: version.description,
    tags: { ...version.tags, [originTag]: originOf(version) },
    sourceRunId: brought.runs.get(version.runId) ?? "",
  };
  let made: string | undefined;
  await orTell(problems, `model ${version.model} version ${version.version}`, async () => {
    const { modelVersion } = await retryUnavailable(() => clients.registry.registerModelVersion(request));
    made = modelVersion?.version;
  });
  return made;
}

/** Gives versions the names they had; those that stages have here are the stages' own. */
async function alias(
  { clients, problems }: ImportDeps,
  name: string,
  model: MlflowModel,
  known: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [word, number] of Object.entries(model.aliases)) {
    const origin = model.versions.find(({ version }) => version === number);
    const version = origin === undefined ? undefined : known.get(originOf(origin));
    if (version === undefined) continue;
    await orTell(problems, `alias ${word} of model ${model.name}`, () =>
      clients.catalog.setModelAlias({ requestId: randomUUID(), model: name, alias: word, version }),
    );
  }
}

/** Where a version's files are after the import; undefined when they did not come with a run or a logged model. */
function placeHere(
  { runId, source }: MlflowModelVersion,
  { runs, artifactUris, loggedModels, loggedModelPlaces }: Brought,
): { readonly artifactUri: string; readonly loggedModelId?: string } | undefined {
  const origin = /^models:\/(m-[^/]+)$/.exec(source)?.[1] ?? loggedModelPlaces.get(withoutSlash(source));
  const loggedModelId = origin === undefined ? undefined : loggedModels.get(origin);
  if (loggedModelId !== undefined) return { artifactUri: `models:/${loggedModelId}`, loggedModelId };
  const here = runs.get(runId);
  const root = artifactUris.get(runId);
  if (here === undefined || root === undefined) return undefined;
  const places = [`runs:/${runId}/`, `${withoutSlash(root)}/`];
  const start = places.find((place) => source.startsWith(place));
  if (start === undefined) return undefined;
  return { artifactUri: `trainyard:/runs/${here}/artifacts/${source.slice(start.length)}` };
}

/** A place as it is compared: with no slash at its end. */
export const withoutSlash = (uri: string) => uri.replace(/\/+$/, "");

/** The tag by which a version is known again, and what it says. */
const originTag = "trainyard.source.version";

function originOf({ model, version, runId }: MlflowModelVersion): string {
  return `mlflow ${model} ${version}${runId === "" ? "" : ` of run ${runId}`}`;
}

/** The versions that were brought over before, by their origin. */
async function knownVersions({ clients }: ImportDeps, model: string): Promise<Map<string, string>> {
  try {
    const { items } = await collectPages(maxVersions, async (page) => {
      const response = await clients.registry.listModelVersions({ model, page });
      return { items: response.modelVersions, next: response.page?.nextPageToken ?? "" };
    });
    return new Map(items.map(({ tags, version }) => [tags[originTag] ?? "", version]));
  } catch (error) {
    if (callError(error, "").code === "not_found") return new Map();
    throw error;
  }
}
