import { invalidParameter } from "../mlflow-error.ts";

/** One piece of a filter; `text` is as it was written. */
export interface Token {
  readonly kind: "name" | "text" | "number" | "operator" | "list" | "word" | "other";
  readonly text: string;
}

const words = new Set(["AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE"]);

/** Names are words joined by points, any part of which may be in backticks or double quotes. */
const part = '(?:[\\p{L}_][\\p{L}\\p{N}_$]*|`[^`]*`|"[^"]*")';
const patterns: readonly (readonly [Token["kind"], RegExp])[] = [
  ["name", new RegExp(`${part}(?:\\.(?:${part}|[\\p{L}\\p{N}_]+))*`, "uy")],
  ["text", /'(?:[^']|'')*'/y],
  ["number", /[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y],
  ["operator", /!=|<>|<=|>=|=|<|>/y],
  ["list", /\([^()]*\)/y],
];

/** Cuts a filter into pieces as MLflow's parser does; what belongs to nothing stands alone as "other". */
export function tokensOf(filter: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < filter.length; ) {
    if (/\s/.test(filter.charAt(at))) {
      at += 1;
      continue;
    }
    const token = tokenAt(filter, at);
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

function tokenAt(filter: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(filter)?.[0];
    if (text === undefined) continue;
    return kind === "name" && words.has(text.toUpperCase()) ? { kind: "word", text } : { kind, text };
  }
  return { kind: "other", text: filter.charAt(at) };
}

/** A name, an operator, and what it is compared with (absent for IS NULL). */
export interface Clause {
  readonly name: string;
  readonly comparator: string;
  readonly value: Token | undefined;
}

/** Reads comparisons joined by AND. Throws INVALID_PARAMETER_VALUE for anything else. */
export function clausesOf(filter: string, quoteInvalid: boolean): readonly Clause[] {
  const tokens = tokensOf(filter);
  const clauses: Clause[] = [];
  const invalid: string[] = [];
  for (let at = 0; at < tokens.length; ) {
    const read = clauseAt(tokens, at);
    const token = tokens[at];
    if (read !== undefined) {
      clauses.push(read.clause);
      at += read.length;
    } else {
      if (token !== undefined && token.text.toUpperCase() !== "AND") invalid.push(token.text);
      at += 1;
    }
  }
  if (invalid.length > 0) {
    const listed = invalid.map((text) => (quoteInvalid ? `'${text}'` : text)).join(", ");
    throw invalidParameter(`Invalid clause(s) in filter string: ${listed}`);
  }
  return clauses;
}

function clauseAt(
  tokens: readonly Token[],
  at: number,
): { readonly clause: Clause; readonly length: number } | undefined {
  const [name, ...rest] = tokens.slice(at, at + 4);
  if (name?.kind !== "name") return undefined;
  const upper = rest.map(({ text }) => text.toUpperCase());
  if (upper[0] === "IS" && upper[1] === "NULL") return read("IS NULL", undefined, 3);
  if (upper[0] === "IS" && upper[1] === "NOT" && upper[2] === "NULL")
    return read("IS NOT NULL", undefined, 4);
  if (upper[0] === "NOT" && upper[1] === "IN" && rest[2]?.kind === "list") return read("NOT IN", rest[2], 4);
  if (upper[0] === "IN" && rest[1]?.kind === "list") return read("IN", rest[1], 3);
  const [operator, value] = rest;
  const compares = operator?.kind === "operator" || upper[0] === "LIKE" || upper[0] === "ILIKE";
  if (
    !compares ||
    operator === undefined ||
    value === undefined ||
    value.kind === "word" ||
    value.kind === "operator"
  )
    return undefined;
  return read(operator.text, value, 3);

  function read(comparator: string, compared: Token | undefined, length: number) {
    return { clause: { name: name?.text ?? "", comparator, value: compared }, length };
  }
}
