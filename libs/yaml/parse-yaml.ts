import { DomainError } from "@trainyard/domain";
import { type Document, isMap, isPair, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { describeIssue, issuePaths } from "./describe-issue.ts";
import { knownKeys } from "./known-keys.ts";
import { formatProblem, type YamlProblem } from "./problem.ts";

/** Bytes of the largest YAML file that is read: far above any real job, suite or contract. */
export const maxYamlBytes = 256 * 1024;
/** Deepest nesting that is read. */
export const maxYamlDepth = 32;
/** How many times aliases may be expanded: stops a "billion laughs" file. */
const maxAliasCount = 100;
/** Problems that are reported at once; more would not be read. */
const maxProblems = 20;

/** What parseYaml needs to know beside the text. */
export interface ParseYamlOptions {
  /** Name for messages: the path as the user gave it. */
  readonly fileName: string;
  /** UPPER_SNAKE reason of the error: "JOB_INVALID". */
  readonly reason: string;
}

/**
 * Reads a YAML file against a schema. Every problem is reported at once, each with line and column, in the error's message
 * and as field violations. Throws DomainError invalid_argument with the given reason; YAML_TOO_LARGE and YAML_TOO_DEEP when a limit is crossed.
 */
export function parseYaml<S extends z.ZodType>(
  text: string,
  schema: S,
  options: ParseYamlOptions,
): z.output<S> {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > maxYamlBytes) {
    throw new DomainError(
      "invalid_argument",
      "YAML_TOO_LARGE",
      `${options.fileName} has ${sizeBytes} bytes; at most ${maxYamlBytes} are read (maxYamlBytes)`,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: "1.2",
  });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    fail(
      document.errors.map((error) => ({ field: "", ...at(error.pos[0]), message: firstLine(error.message) })),
      options,
    );
  }
  if (depthOf(document.contents) > maxYamlDepth) {
    throw new DomainError(
      "invalid_argument",
      "YAML_TOO_DEEP",
      `${options.fileName} is nested deeper than ${maxYamlDepth} levels (maxYamlDepth)`,
    );
  }
  const value = toValue(document, options);
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) =>
    issuePaths(issue).map((path) => ({
      field: path.join("."),
      ...at(offsetOf(document, path)),
      message: describeIssue(issue, path, knownKeys(schema, issue.path)),
    })),
  );
  return fail(problems, options);
}

function fail(problems: readonly YamlProblem[], { fileName, reason }: ParseYamlOptions): never {
  const shown = [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, maxProblems);
  const rest = problems.length - shown.length;
  const message = shown.map((problem) => formatProblem(fileName, problem)).join("\n");
  throw new DomainError("invalid_argument", reason, rest > 0 ? `${message}\n… and ${rest} more` : message, {
    violations: shown.map((problem) => ({
      field: problem.field,
      description: `line ${problem.line}, column ${problem.column}: ${problem.message}`,
    })),
  });
}

function toValue(document: Document, options: ParseYamlOptions): unknown {
  try {
    return document.toJS({ maxAliasCount });
  } catch (error) {
    const message = error instanceof Error ? firstLine(error.message) : String(error);
    return fail([{ field: "", line: 1, column: 1, message }], options);
  }
}

/** Where a path stands in the text: its key when it has one, else the nearest parent that exists. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(key));
      if (pair === undefined) return offset;
      offset = startOf(pair.value) ?? startOf(pair.key) ?? offset;
      node = pair.value;
    } else {
      node = document.getIn(path.slice(0, path.indexOf(key) + 1), true);
      offset = startOf(node) ?? offset;
    }
  }
  return offset;
}

function keyText(key: unknown): string {
  return typeof key === "object" && key !== null && "value" in key ? String(key.value) : String(key);
}

function startOf(node: unknown): number | undefined {
  // Every parsed node has a range; the check is for nodes that a pair lacks.
  return typeof node === "object" && node !== null && "range" in node ? (node as Node).range?.[0] : undefined;
}

function depthOf(node: unknown, depth = 0): number {
  if (depth > maxYamlDepth || typeof node !== "object" || node === null || !("items" in node)) return depth;
  // A YAML collection's items are nodes or pairs.
  const items = node.items as readonly unknown[];
  let deepest = depth;
  for (const item of items) deepest = Math.max(deepest, depthOf(isPair(item) ? item.value : item, depth + 1));
  return deepest;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
