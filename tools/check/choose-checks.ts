import type { Check } from "./check.ts";

/** A check was asked for that does not exist. */
export class UnknownCheckError extends Error {}

/** The checks that the words name, in the checks' own order; all of them when there are no words. */
export function chooseChecks(all: readonly Check[], words: readonly string[]): readonly Check[] {
  const names = all.map(({ name }) => name);
  const unknown = words.filter((word) => !names.includes(word));
  if (unknown.length > 0) {
    throw new UnknownCheckError(`no check named ${unknown.join(", ")}; there are: ${names.join(", ")}`);
  }
  return words.length === 0 ? all : all.filter(({ name }) => words.includes(name));
}
