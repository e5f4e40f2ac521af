import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { type registry, stageWord } from "@trainyard/contracts";
import { stageNames } from "../domain/stages.ts";
import type { Json } from "../http/endpoint.ts";
import { tagList } from "../tracking/experiment-json.ts";

/** A version as MLflow's clients read it. */
export function versionJson(
  version: registry.ModelVersion,
  aliases: registry.Model["aliases"] | undefined,
): Json {
  const runId = version.runId || version.sourceRunId;
  return {
    name: version.model,
    version: String(version.number),
    creation_timestamp: ms(version.createdAt),
    last_updated_timestamp: ms(version.updatedAt),
    current_stage: stageNames[stageWord(version.stage) ?? "staging"],
    description: version.notes,
    source: version.artifactUri,
    run_id: runId,
    ...(version.loggedModelId === "" ? {} : { model_id: version.loggedModelId }),
    status: "READY",
    tags: tagList(version.tags),
    aliases: Object.entries(aliases ?? {}).flatMap(([alias, number]) =>
      number === version.number ? [alias] : [],
    ),
  };
}

/** A registered model with the newest version of each stage. */
export function modelJson(model: registry.Model, versions: readonly registry.ModelVersion[]): Json {
  return {
    name: model.name,
    creation_timestamp: ms(model.createdAt),
    last_updated_timestamp: ms(model.updatedAt),
    ...(model.description === "" ? {} : { description: model.description }),
    latest_versions: newestOfStages(versions).map((version) => versionJson(version, undefined)),
    tags: tagList(model.tags),
    aliases: Object.entries(model.aliases).map(([alias, number]) => ({ alias, version: String(number) })),
  };
}

/** The newest version in each stage that any is in. */
export function newestOfStages(versions: readonly registry.ModelVersion[]): readonly registry.ModelVersion[] {
  const newest = new Map<registry.Stage, registry.ModelVersion>();
  for (const version of versions.toSorted((a, b) => a.number - b.number)) newest.set(version.stage, version);
  return [...newest.values()];
}

const ms = (at: Timestamp | undefined) => (at === undefined ? 0 : timestampMs(at));
