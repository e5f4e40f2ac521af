import { callError } from "../client/call-error.ts";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import { requestId } from "../moving/run-writer.ts";
import type { ImportDeps } from "./import-run.ts";
import type { MlflowModel, MlflowModelVersion, MlflowSource } from "./mlflow-source.ts";
import { modelNameOf } from "./model-name.ts";

/** What was brought over before: runs here by their ids there, and where their files were there. */
export interface BroughtRuns {
  readonly runs: ReadonlyMap<string, string>;
  readonly artifactUris: ReadonlyMap<string, string>;
}

/** No model has more versions than are looked at. */
const maxVersions = 100_000;

/** Registers versions of models, oldest first, each in stage staging: who is champion is decided here anew. Gives how many. */
export async function importModels(
  deps: ImportDeps,
  source: MlflowSource,
  brought: BroughtRuns,
): Promise<number> {
  let registered = 0;
  for await (const model of source.models()) {
    deps.signal.throwIfAborted();
    registered += await importModel(deps, model, brought);
  }
  return registered;
}

async function importModel(deps: ImportDeps, model: MlflowModel, brought: BroughtRuns): Promise<number> {
  const { problems } = deps;
  const name = modelNameOf(model.name);
  if (name !== model.name)
    problems.add(`name of model ${JSON.stringify(model.name)}`, `it is called ${name} here`);
  const known = await knownOrigins(deps, name);
  let registered = 0;
  for (const version of model.versions) {
    if (known.has(originOf(version))) continue;
    registered += Number(await register(deps, name, version, brought));
  }
  tellLeftOut(deps, model);
  return registered;
}

async function register(
  { clients, problems }: ImportDeps,
  model: string,
  version: MlflowModelVersion,
  brought: BroughtRuns,
): Promise<boolean> {
  const artifactUri = placeHere(version, brought);
  if (artifactUri === undefined)
    problems.add(
      `files of model ${version.model} version ${version.version}`,
      `they are at ${version.source}, no place of a run that was brought over; the version names that place`,
    );
  const request = {
    requestId: requestId("model version", model, originOf(version)),
    model,
    artifactUri: artifactUri ?? version.source,
    notes: [version.description, originOf(version)].filter((line) => line !== "").join("\n\n"),
  };
  try {
    await retryUnavailable(() => clients.registry.registerModelVersion(request));
    return true;
  } catch (error) {
    const refused = callError(error, "");
    if (refused.code !== "invalid_argument" && refused.code !== "failed_precondition") throw error;
    problems.add(`model ${version.model} version ${version.version}`, refused.message);
    return false;
  }
}

/** Where a version's files are after the import; undefined when they did not come with a run. */
function placeHere(
  { runId, source }: MlflowModelVersion,
  { runs, artifactUris }: BroughtRuns,
): string | undefined {
  const here = runs.get(runId);
  const root = artifactUris.get(runId);
  if (here === undefined || root === undefined) return undefined;
  const ofRun = `runs:/${runId}/`;
  if (source.startsWith(ofRun)) return `trainyard:/runs/${here}/artifacts/${source.slice(ofRun.length)}`;
  if (!source.startsWith(`${root.replace(/\/+$/, "")}/`)) return undefined;
  return `trainyard:/runs/${here}/artifacts/${source.slice(root.replace(/\/+$/, "").length + 1)}`;
}

/** The line of a version's notes by which it is known again. */
function originOf({ model, version, runId }: MlflowModelVersion): string {
  return `From MLflow: ${model} version ${version}${runId === "" ? "" : ` of run ${runId}`}`;
}

async function knownOrigins({ clients }: ImportDeps, model: string): Promise<Set<string>> {
  try {
    const { items } = await collectPages(maxVersions, async (page) => {
      const response = await clients.registry.listModelVersions({ model, page });
      return { items: response.modelVersions, next: response.page?.nextPageToken ?? "" };
    });
    return new Set(items.map(({ notes }) => notes.slice(notes.lastIndexOf("From MLflow: "))));
  } catch (error) {
    if (callError(error, "").code === "not_found") return new Set();
    throw error;
  }
}

/** The registry decides over stages by its gates and people: what MLflow said of them is told, not taken. */
function tellLeftOut({ problems }: ImportDeps, model: MlflowModel): void {
  const what = `model ${model.name}`;
  for (const { version, stage } of model.versions)
    if (stage !== "None")
      problems.add(
        `stage ${stage} of ${what} version ${version}`,
        "stages are reached by gates and approval here",
      );
  for (const [alias, version] of Object.entries(model.aliases))
    problems.add(`alias ${alias} of ${what} (version ${version})`, "set it again where it is wanted");
  const hasTags =
    Object.keys(model.tags).length > 0 || model.versions.some(({ tags }) => Object.keys(tags).length > 0);
  if (hasTags) problems.add(`tags of ${what}`, "versions are registered without tags");
  if (model.description !== "") problems.add(`description of ${what}`, "models are registered without one");
}
