import { DomainError } from "@trainyard/domain";

/** A value as JSON has it. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Parameters by name. */
export type Params = Readonly<Record<string, JsonValue>>;

/** Keys that would reach into the object's own machinery. */
const refusedKeys = ["__proto__", "constructor", "prototype"];

/**
 * Applies `--set key=value` to parameters, in order. A dot in the key reaches into an object ("optimizer.lr=0.1"). The
 * value is JSON where it reads as such (0.1, true, null, [1,2], "quoted"), else text. Throws SET_INVALID.
 */
export function setParams(params: Params, assignments: readonly string[]): Params {
  return assignments.reduce((before, text) => {
    const equals = text.indexOf("=");
    const path = text.slice(0, Math.max(0, equals)).split(".");
    if (equals < 1 || path.some((part) => part === "" || refusedKeys.includes(part))) {
      throw new DomainError(
        "invalid_argument",
        "SET_INVALID",
        `--set ${text}: expected key=value, such as --set lr=0.1 or --set optimizer.momentum=0.9`,
      );
    }
    return setAt(before, path, parseValue(text.slice(equals + 1)), text);
  }, params);
}

function setAt(params: Params, path: readonly string[], value: JsonValue, text: string): Params {
  const [key = "", ...rest] = path;
  if (rest.length === 0) return { ...params, [key]: value };
  const inner = params[key] ?? {};
  if (!isObject(inner)) {
    throw new DomainError(
      "invalid_argument",
      "SET_INVALID",
      `--set ${text}: "${key}" is ${JSON.stringify(inner)}, not an object, so nothing in it can be set`,
    );
  }
  return { ...params, [key]: setAt(inner, rest, value, text) };
}

function parseValue(text: string): JsonValue {
  try {
    // JSON.parse gives exactly what JSON can hold.
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

function isObject(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
