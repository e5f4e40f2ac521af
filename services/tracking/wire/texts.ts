import type { NamedText } from "../domain/named-text.ts";

/** Texts as a map of the wire. */
export function textsToProto(texts: readonly NamedText[]): Record<string, string> {
  return Object.fromEntries(texts.map(({ key, value }) => [key, value]));
}

/** A map of the wire as texts, by key. */
export function textsFromProto(texts: Readonly<Record<string, string>>): NamedText[] {
  return Object.entries(texts)
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}
