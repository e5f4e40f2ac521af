import { exceptionLine } from "./exception-line.ts";
import type { Failure } from "./failure.ts";

/** Signals that a program brings upon itself: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV. Others come from outside. */
const selfInflictedSignals: readonly number[] = [4, 5, 6, 7, 8, 11];

/** Whether the program ended itself by a signal. */
export function isSelfInflicted(signal: number): boolean {
  return selfInflictedSignals.includes(signal);
}

/** The exception's class without its module ("OutOfMemoryError"); empty when the failure names none. */
export function exceptionType(failure: Pick<Failure, "tracebackTail">): string {
  const line = exceptionLine(failure.tracebackTail) ?? "";
  return /^[A-Za-z_][\w.]*/.exec(line)?.[0].split(".").at(-1) ?? "";
}

/**
 * What makes two errors the same: how the rank ended and what it raised. Numbers are left out, for addresses, times and
 * values in a message differ from launch to launch although the error does not.
 */
export function errorSignature(
  failure: Pick<Failure, "class" | "exitCode" | "signal" | "tracebackTail">,
): string {
  const raised = exceptionLine(failure.tracebackTail) ?? "";
  const shape = raised.replaceAll(/0x[0-9a-f]+|\d+/gi, "#");
  return JSON.stringify([failure.class, failure.exitCode, failure.signal, shape]);
}

const neverCured: ReadonlySet<string> = new Set([
  "ImportError",
  "ModuleNotFoundError",
  "SyntaxError",
  "IndentationError",
  "TabError",
]);

/** Whether the code itself cannot be loaded: no retry changes that. */
export function isCodeBroken(failure: Pick<Failure, "class" | "tracebackTail">): boolean {
  return failure.class === "user" && neverCured.has(exceptionType(failure));
}
