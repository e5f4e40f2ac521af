import { utf8Tail } from "./utf8-tail.ts";

/** Most bytes of a traceback or of standard error that a heartbeat carries. */
export const MAX_TAIL_BYTES = 4096;

/**
 * The end of the traceback in a rank's `error.json`, which has torchelastic's format: `message` is a text, or an object
 * with `message` and `extraInfo.py_callstack`. Undefined when there is none in it.
 */
export function tracebackFrom(json: string): string | undefined {
  const message = memberOf(parse(json), "message");
  const callstack = memberOf(memberOf(message, "extraInfo"), "py_callstack");
  const found = [callstack, memberOf(message, "message"), message].find(
    (text) => typeof text === "string" && text.trim() !== "",
  );
  return typeof found === "string" ? utf8Tail(new TextEncoder().encode(found), MAX_TAIL_BYTES) : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
