import { registry, stageByWord } from "@trainyard/contracts";
import { required, text } from "../domain/fields.ts";
import { doesNotExist, invalidParameter, MlflowError } from "../domain/mlflow-error.ts";
import { assertAlias, assertFreeAlias, assertModelName, modelVersionNumber } from "../domain/names.ts";
import { type RegistryStage, reservedAliases } from "../domain/stages.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { versionJson } from "./model-json.ts";
import { findModel, findVersion, modelNameWords, versionsOf } from "./model-words.ts";
import { moveToStage } from "./move-to-stage.ts";

const { setModelAlias, deleteModelAlias } = registry.CatalogService.method;

const path = "mlflow/registered-models/alias";
const named = { name: required(text), alias: required(text) };

/** Aliases. Those that are stages follow the stages, and are set by their rules. */
export const modelAliases: readonly Endpoint[] = [
  endpoint(`POST ${path}`, { ...named, version: required(text) }, async (request, call) => {
    const { name: model, alias } = request;
    assertModelName(model);
    assertFreeAlias(alias);
    const found = await findVersion(call, model, modelVersionNumber(request.version));
    if (isReserved(alias)) {
      await moveToStage(call, found, alias);
    } else {
      await call.rpc(setModelAlias, { model, alias, version: found.id });
    }
    return {};
  }),

  endpoint(`DELETE ${path}`, named, async ({ name: model, alias }, call) => {
    assertModelName(model);
    assertAlias(alias);
    if (isReserved(alias)) {
      throw new MlflowError(
        "PERMISSION_DENIED",
        `ALIAS_RESERVED: the alias ${alias} follows the stage of that name; move the version to another stage instead.`,
      );
    }
    await inWords(modelNameWords(model), () => call.rpc(deleteModelAlias, { model, alias }));
    return {};
  }),

  endpoint(`GET ${path}`, named, async ({ name, alias }, call) => {
    assertModelName(name);
    assertAlias(alias);
    const model = await findModel(call, name);
    return { model_version: versionJson(await aliased(call, model, alias), model.aliases) };
  }),
];

async function aliased(
  call: MlflowCall,
  model: registry.Model,
  alias: string,
): Promise<registry.ModelVersion> {
  if (alias.toLowerCase() === "latest") {
    const newest = (await versionsOf(call, model.name)).toSorted((a, b) => b.number - a.number)[0];
    if (newest === undefined) throw doesNotExist(`Latest version not found for model ${model.name}.`);
    return newest;
  }
  const number = Object.hasOwn(model.aliases, alias) ? model.aliases[alias] : undefined;
  if (number !== undefined) return findVersion(call, model.name, String(number));
  const inStage = isReserved(alias)
    ? (await versionsOf(call, model.name)).filter(({ stage }) => stage === stageByWord[alias])
    : [];
  const [newest] = inStage.toSorted((a, b) => b.number - a.number);
  if (newest === undefined) throw invalidParameter(`Registered model alias ${alias} not found.`);
  return newest;
}

function isReserved(alias: string): alias is RegistryStage {
  return reservedAliases.has(alias);
}
