import type { JsonValue } from "./job-spec.ts";
import { MAX_PARAMS_BYTES, MAX_PARAMS_DEPTH } from "./limits.ts";
import { expectThat, type Violation } from "./violation.ts";

/** Checks the hyperparameters: depth, finite numbers, size as JSON. They are handed to every rank and kept for ever. */
export function checkParams(params: { readonly [key: string]: JsonValue }): readonly Violation[] {
  const problems: Violation[] = [];
  const visit = (value: JsonValue, path: string, depth: number): void => {
    if (depth > MAX_PARAMS_DEPTH) {
      problems.push({ field: path, description: `expected at most ${MAX_PARAMS_DEPTH} levels of nesting` });
    } else if (typeof value === "number" && !Number.isFinite(value)) {
      problems.push({ field: path, description: `expected a finite number, got ${value}` });
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, `${path}.${key}`, depth + 1);
    }
  };
  visit(params, "spec.params", 0);
  if (problems.length > 0) return problems;
  const bytes = new TextEncoder().encode(JSON.stringify(params)).byteLength;
  return expectThat(
    bytes <= MAX_PARAMS_BYTES,
    "spec.params",
    `expected at most ${MAX_PARAMS_BYTES} bytes as JSON, got ${bytes}: put large configuration into the code bundle`,
  );
}
