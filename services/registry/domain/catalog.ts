import { DomainError } from "@trainyard/domain";
import type { Model, ModelVersion } from "./model-version.ts";
import { stages } from "./stage.ts";

/** A key with its text: a tag, or a parameter. */
export interface NamedText {
  readonly key: string;
  readonly value: string;
}

/** An alias and the running number of the version that it names. */
export interface Alias {
  readonly alias: string;
  readonly number: number;
}

/** What may be written beside models and versions, in characters. */
export const limits = {
  MODEL_NAME_LENGTH: 256,
  MODEL_TEXT_LENGTH: 100_000,
  MODEL_TAG_KEY_LENGTH: 250,
  MODEL_TAGS: 1_000,
  MODEL_ALIAS_LENGTH: 255,
} as const;

export function limitExceeded(limit: string, maximum: number, got: number): DomainError {
  return new DomainError("invalid_argument", "LIMIT_EXCEEDED", `${limit}: at most ${maximum}, got ${got}.`, {
    metadata: { limit, maximum: String(maximum), got: String(got) },
  });
}

export function assertAtMost(limit: keyof typeof limits, got: number): void {
  if (got > limits[limit]) throw limitExceeded(limit, limits[limit], got);
}

/** A model's name: people choose it, and paths and URIs hold it as one part. */
export function assertModelName(name: string): void {
  assertAtMost("MODEL_NAME_LENGTH", name.length);
  if (name.trim() !== "" && !/[/:\p{Cc}]/u.test(name)) return;
  const description = 'expected a name without "/", ":" and control characters';
  throw new DomainError("invalid_argument", "NAME_INVALID", `model: ${description}.`, {
    violations: [{ field: "model", description }],
  });
}

/** The texts with `more` in place of those of the same key, by key. */
export function withTexts(
  known: readonly NamedText[],
  more: Readonly<Record<string, string>>,
): readonly NamedText[] {
  const merged = new Map(known.map(({ key, value }) => [key, value]));
  for (const [key, value] of Object.entries(more)) {
    assertAtMost("MODEL_TAG_KEY_LENGTH", key.length);
    assertAtMost("MODEL_TEXT_LENGTH", value.length);
    merged.set(key, value);
  }
  assertAtMost("MODEL_TAGS", merged.size);
  return [...merged].map(([key, value]) => ({ key, value })).toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

export function withoutTexts(known: readonly NamedText[], keys: readonly string[]): readonly NamedText[] {
  return known.filter(({ key }) => !keys.includes(key));
}

/** Throws for an alias that follows a stage: only the stage's own rules, its gates and approval, may move it. */
export function assertFreeAlias(alias: string): void {
  if (stages.some((stage) => stage === alias.toLowerCase())) {
    throw new DomainError(
      "failed_precondition",
      "ALIAS_RESERVED",
      `The alias ${alias} follows the stage of that name, which has gates and an approval of its own: move the version there (trainyard promote).`,
      { metadata: { alias } },
    );
  }
  assertAtMost("MODEL_ALIAS_LENGTH", alias.length);
  if (/^[\p{L}\p{N}_-]+$/u.test(alias) && !/^(latest|v\d+)$/i.test(alias)) return;
  const description = 'expected letters, digits, "_" and "-", and neither "latest" nor "v" with a number';
  throw new DomainError("invalid_argument", "ALIAS_INVALID", `alias: ${description}.`, {
    violations: [{ field: "alias", description }],
  });
}

export function withAlias(known: readonly Alias[], alias: string, number: number): readonly Alias[] {
  return [...known.filter((other) => other.alias !== alias), { alias, number }].toSorted((a, b) =>
    a.alias < b.alias ? -1 : 1,
  );
}

/** Throws for a version that was in use or is of a job: that stays on record. */
export function assertRemovable(model: Model, version: ModelVersion): void {
  const used = version.stage === "canary" || version.stage === "champion" || version.promotedAt !== undefined;
  if (!used && version.origin.jobId === "" && !model.formerChampionIds.includes(version.id)) return;
  const why = used ? "was or is in use" : `was made by job ${version.origin.jobId}`;
  throw new DomainError(
    "failed_precondition",
    "MODEL_HAS_HISTORY",
    `${version.model} ${version.version} ${why}, and stays on record. Archive it instead (trainyard models archive).`,
    { metadata: { model: version.model, version: version.version } },
  );
}

/** Throws for a model whose name others hold on to. */
export function assertRenamable(model: Model): void {
  if (model.championId === "" && model.formerChampionIds.length === 0) return;
  throw new DomainError(
    "failed_precondition",
    "MODEL_NAME_IN_USE",
    `${model.name} has or had a champion, which is used by this name.`,
    { metadata: { model: model.name } },
  );
}
