import { reject } from "@trainyard/bus";
import { registry, stageWord } from "@trainyard/contracts";
import { type EventHandler, on, type Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";

/** A version was registered: it holds what its run keeps. */
export function modelVersionCreated(deps: Deps): EventHandler {
  return on(registry.ModelVersionCreatedSchema, { mode: "every-one" }, (tx, { data, time }) =>
    saveVersion(deps, tx, data.modelVersion, new Date(time)),
  );
}

/** A version moved to another stage, which may hold its run less. */
export function modelVersionStageChanged(deps: Deps): EventHandler {
  return on(registry.ModelVersionStageChangedSchema, { mode: "every-one" }, (tx, { data, time }) =>
    saveVersion(deps, tx, data.modelVersion, new Date(time)),
  );
}

/** A version was removed. That is remembered: an older event of it may come later. */
export function modelVersionDeleted(deps: Deps): EventHandler {
  return on(registry.ModelVersionDeletedSchema, { mode: "every-one" }, (tx, { data, time }) =>
    saveVersion(deps, tx, data.modelVersion, new Date(time), "deleted"),
  );
}

async function saveVersion(
  deps: Deps,
  tx: Tx,
  version: registry.ModelVersion | undefined,
  since: Date,
  gone?: "deleted",
): Promise<ReturnType<typeof reject> | undefined> {
  if (version === undefined) return reject("the event has no model version");
  const stage = gone ?? stageWord(version.stage);
  if (stage === undefined) return reject(`model version ${version.id} is in stage ${version.stage}`);
  const runId = version.runId || version.sourceRunId;
  if (runId === "") return undefined;
  await deps.records.runVersions.save(tx, {
    id: version.id,
    project: version.project,
    runId,
    name: `${version.model} ${version.version}`,
    stage,
    since,
    isMadeOfRun: version.runId !== "",
    aggregateVersion: Number(version.aggregateVersion),
  });
  return undefined;
}
