import { DomainError } from "@trainyard/domain";

/** A key with its text: a tag, or a parameter. */
export interface NamedText {
  readonly key: string;
  readonly value: string;
}

/** A parameter. `typed` says that the job file gave it as something else than a text: `value` is its JSON. */
export interface Param extends NamedText {
  readonly typed?: true;
}

/** The texts with `more` in place of those of the same key; the order is that of the keys. */
export function mergeTexts<T extends NamedText>(known: readonly T[], more: readonly T[]): readonly T[] {
  const merged = new Map([...known, ...more].map((text) => [text.key, text]));
  return [...merged.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * The parameters with those logged now. One that is known keeps its value: throws PARAM_DIFFERS, naming both values, when
 * another one is logged. Returns `known` itself when there is nothing new.
 */
export function logParams(
  runId: string,
  known: readonly Param[],
  logged: readonly NamedText[],
): readonly Param[] {
  const byKey = new Map(known.map((param) => [param.key, param]));
  const added = logged.filter(({ key }) => !byKey.has(key));
  for (const { key, value } of logged) {
    const before = byKey.get(key);
    if (before !== undefined && !sameValue(before, value)) throw paramDiffers(runId, before, value);
  }
  return added.length === 0 ? known : mergeTexts(known, added);
}

/**
 * Whether the text says the parameter's value. What the job file gave as a number, a truth value or nothing is compared
 * as such, since every language spells those in its own way: Python logs 1e-05 and True.
 */
function sameValue({ value, typed }: Param, text: string): boolean {
  if (value === text) return true;
  if (typed === undefined || text.trim() === "") return false;
  const constant = { true: "true", false: "false", none: "null", null: "null" }[text.toLowerCase()];
  return constant === value || Number(text) === Number(value);
}

function paramDiffers(runId: string, { key, value }: Param, given: string): DomainError {
  const shown = (text: string) => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
  const message = `Parameter ${shown(key)} of ${runId} is ${shown(value)} and was now given as ${shown(given)}. Parameters do not change once logged: log it under another name, or in another run.`;
  return new DomainError("already_exists", "PARAM_DIFFERS", message, {
    metadata: { run_id: runId, key, value: value.slice(0, 1_000), given: given.slice(0, 1_000) },
  });
}

/** A job file's parameters as filters compare them. */
export function paramsOfJob(params: Readonly<Record<string, unknown>>): readonly Param[] {
  const all = Object.entries(params).map(
    ([key, value]): Param =>
      typeof value === "string" ? { key, value } : { key, value: JSON.stringify(value), typed: true },
  );
  return mergeTexts([], all);
}
