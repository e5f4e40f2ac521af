import type { NamedText } from "./named-text.ts";

/** A dataset that a run was given. Name and digest tell it from others. */
export interface DatasetInput {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string;
  readonly profile: string;
  readonly context: string;
  readonly tags: readonly NamedText[];
}

/** The inputs with `more` in place of those of the same name and digest, in the order in which they came first. */
export function mergeInputs(
  known: readonly DatasetInput[],
  more: readonly DatasetInput[],
): readonly DatasetInput[] {
  const identity = ({ name, digest }: DatasetInput) => JSON.stringify([name, digest]);
  const merged = new Map([...known, ...more].map((input) => [identity(input), input]));
  return [...merged.values()];
}
