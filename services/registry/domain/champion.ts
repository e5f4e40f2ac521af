import { DomainError } from "@trainyard/domain";
import type { Model, ModelVersion, StageChange } from "./model-version.ts";
import type { Stage } from "./stage.ts";

/** Who changes a stage, when and why. */
export interface Cause {
  readonly by: string;
  readonly at: Date;
  readonly reason: string;
}

/** What a change makes of the model and of the versions it touches, and the steps for the history. */
export interface StageMove {
  readonly model: Model;
  /** Changed versions, in the order to write them: whoever leaves champion before whoever becomes it. */
  readonly versions: readonly ModelVersion[];
  readonly changes: readonly StageChange[];
}

/**
 * Moves a version to a stage. Becoming champion archives the present one in the same move; leaving champion leaves the model
 * without one. Whether the move is allowed is decided before.
 */
export function moveVersion(
  model: Model,
  version: ModelVersion,
  to: Stage,
  champion: ModelVersion | undefined,
  cause: Cause,
): StageMove {
  const next = { ...model, version: model.version + 1 };
  const replaced =
    to === "champion" && champion !== undefined && champion.id !== version.id ? [champion] : [];
  const archived = replaced.map((old) =>
    step(old, "archived", next.version, { ...cause, reason: `replaced by ${version.version}` }),
  );
  const moved = step(version, to, next.version, cause);
  const formerChampionIds =
    to === "champion"
      ? [...model.formerChampionIds, ...replaced.map(({ id }) => id)]
      : version.stage === "champion"
        ? [...model.formerChampionIds, version.id]
        : model.formerChampionIds;
  const championId = to === "champion" ? version.id : version.stage === "champion" ? "" : model.championId;
  return combine({ ...next, championId, formerChampionIds }, [...archived, moved]);
}

/** The former champion that a rollback returns to. Throws when there is none. */
export function rollbackTarget(model: Model): string {
  const target = model.formerChampionIds.at(-1);
  if (target !== undefined) return target;
  throw new DomainError(
    "failed_precondition",
    "NO_PREVIOUS_CHAMPION",
    `${model.name} has had no champion before the present one, so there is nothing to go back to.`,
  );
}

/** Makes the previous champion champion again and archives the present one, which a later rollback does not return to. */
export function rollback(
  model: Model,
  previous: ModelVersion,
  champion: ModelVersion | undefined,
  cause: Cause,
): StageMove {
  const next = { ...model, version: model.version + 1 };
  const archived = champion === undefined ? [] : [step(champion, "archived", next.version, cause)];
  const restored = step(previous, "champion", next.version, cause);
  return combine(
    { ...next, championId: previous.id, formerChampionIds: model.formerChampionIds.slice(0, -1) },
    [...archived, restored],
  );
}

interface Step {
  readonly version: ModelVersion;
  readonly change: StageChange;
}

function step(version: ModelVersion, to: Stage, aggregateVersion: number, { by, at, reason }: Cause): Step {
  const promoted = to === "champion" ? { promotedBy: by, promotedAt: at } : {};
  return {
    version: { ...version, ...promoted, stage: to, aggregateVersion },
    change: {
      model: version.model,
      modelVersionId: version.id,
      version: version.version,
      from: version.stage,
      to,
      by,
      at,
      reason,
    },
  };
}

function combine(model: Model, steps: readonly Step[]): StageMove {
  return { model, versions: steps.map(({ version }) => version), changes: steps.map(({ change }) => change) };
}
