import { DomainError, newId, parseSemver } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import type { Model, ModelVersion } from "./domain/model-version.ts";
import { nextVersion } from "./domain/next-version.ts";
import { emitCreated } from "./events.ts";
import type { ModelRepository } from "./store/model-repository.ts";

/** A version to register: everything but what the registry decides. */
export type NewVersion = Omit<
  ModelVersion,
  "id" | "number" | "version" | "stage" | "approvals" | "promotedBy" | "aggregateVersion" | "createdAt"
> & {
  /** Semantic version; empty derives it. */
  readonly version: string;
};

/**
 * Registers a version in staging, with its event, and creates the model with its first one. `id` is the caller's, made
 * outside the transaction, so that a transaction that runs again writes the same version.
 */
export async function registerVersion(
  repository: ModelRepository,
  tx: Tx,
  id: string,
  input: NewVersion,
  now: Date,
): Promise<ModelVersion> {
  const existing = await repository.findModel(input.project, input.model, tx);
  const versions = existing === undefined ? [] : await repository.versionsOf(input.project, input.model, tx);
  const model: Model =
    existing === undefined
      ? {
          id: newId("model"),
          project: input.project,
          name: input.model,
          description: "",
          versionCount: 1,
          championId: "",
          formerChampionIds: [],
          version: 1,
          createdBy: input.createdBy,
          createdAt: now,
        }
      : {
          ...existing,
          versionCount: existing.versionCount + 1,
          version: existing.version + 1,
          ...lastNumber(existing),
        };
  const version: ModelVersion = {
    ...input,
    id,
    number: model.lastNumber ?? model.versionCount,
    version: input.version === "" ? nextVersion(versions, input) : freeVersion(input, versions),
    stage: "staging",
    approvals: [],
    promotedBy: "",
    aggregateVersion: model.version,
    createdAt: now,
    updatedAt: now,
  };
  if (existing === undefined) await repository.insertModel(model, tx);
  else await repository.saveModel(model, tx);
  await repository.insertVersion(version, tx);
  await emitCreated(tx, model, version, input.createdBy);
  return version;
}

/** Once a version was removed, the count no longer says the highest number. */
function lastNumber({ lastNumber: last }: Model) {
  return last === undefined ? {} : { lastNumber: last + 1 };
}

function freeVersion({ version, model }: NewVersion, versions: readonly ModelVersion[]): string {
  parseSemver(version);
  if (!versions.some((other) => other.version === version)) return version;
  throw new DomainError(
    "already_exists",
    "MODEL_VERSION_EXISTS",
    `${model} ${version} exists already, and a version is never changed. Choose another version or leave it out.`,
  );
}
