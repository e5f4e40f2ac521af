import type { z } from "zod";
import { nearestName } from "./nearest-name.ts";

type Issue = z.core.$ZodIssue;

/** The fields an issue is about: unknown keys make one issue with many fields, and each gets a place of its own. */
export function issuePaths(issue: Issue): readonly (readonly PropertyKey[])[] {
  return issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
}

const words: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function found(input: unknown): string {
  if (input === undefined) return "nothing";
  if (input === null) return "nothing (null)";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object") return "a mapping";
  return `${typeof input === "string" ? "text" : typeof input} ${JSON.stringify(input)}`;
}

/**
 * One sentence for a person: what is wrong, what was expected, and what was meant where that can be guessed. `known` are
 * the names that would have been right beside an unknown one.
 */
export function describeIssue(issue: Issue, path: readonly PropertyKey[], known: readonly string[]): string {
  switch (issue.code) {
    case "unrecognized_keys": {
      const name = String(path.at(-1));
      const meant = nearestName(name, known);
      if (meant !== undefined) return `unknown field "${name}"; did you mean "${meant}"?`;
      return `unknown field "${name}"${known.length > 0 ? `; expected one of ${known.join(", ")}` : ""}`;
    }
    case "invalid_type":
      return issue.input === undefined
        ? `is missing; expected ${words[issue.expected] ?? issue.expected}`
        : `expected ${words[issue.expected] ?? issue.expected}, found ${found(issue.input)}`;
    case "invalid_value":
      return `expected one of ${issue.values.map((value) => String(value)).join(", ")}, found ${found(issue.input)}`;
    default:
      return issue.message;
  }
}
