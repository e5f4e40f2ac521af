import { DomainError } from "@trainyard/domain";

/** What a person calls a version: "digits@1.0.0", an id, or a name alone where a default is given. Throws VERSION_MISSING. */
export function namedVersion(
  text: string,
  whenMissing?: string,
): { readonly name: string; readonly version: string } {
  if (/^(dsv|mv)_[0-9a-z]{26}$/.test(text)) return { name: "", version: text };
  const at = text.lastIndexOf("@");
  if (at > 0 && at < text.length - 1) return { name: text.slice(0, at), version: text.slice(at + 1) };
  if (at === -1 && whenMissing !== undefined) return { name: text, version: whenMissing };
  throw new DomainError(
    "invalid_argument",
    "VERSION_MISSING",
    `"${text}" names no version: expected NAME@VERSION, such as digits@1.0.0`,
  );
}
