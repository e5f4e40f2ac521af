import { createHash } from "node:crypto";
import type { Contract } from "../domain/contract.ts";
import type { Column } from "../domain/dataset-version.ts";
import { schemaText } from "../domain/schema-diff.ts";

/** SHA-256 over the ordered columns: equal exactly for equal names, types, nullability and order. */
export function schemaHash(columns: readonly Column[]): string {
  return sha256(schemaText(columns));
}

/** SHA-256 over a contract's meaning: comments, spacing and defaults that are written out make no difference. */
export function contractHash(contract: Contract): string {
  return sha256(canonical(contract));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** JSON with sorted keys and without what is undefined. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
}
