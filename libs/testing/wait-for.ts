import { setTimeout as delay } from "node:timers/promises";

/** The wait ends as soon as what is waited for holds, so a long one costs a slow or busy machine's time only. */
const WAIT_MS = 60_000;

/** How long to wait and how often to look. */
export interface WaitOptions {
  readonly timeoutMs?: number;
  /** Unless given, the more rarely the longer it has waited: looking takes time from what is waited for. */
  readonly intervalMs?: number;
}

/**
 * Looks again and again until `fn` gives something other than undefined or false, and gives that back. An exception (a
 * failed assertion, a server not there yet) means "not yet". At the deadline it throws, naming `what` and the last reason.
 */
export async function waitFor<T>(
  what: string,
  fn: () => Promise<T> | T,
  { timeoutMs = WAIT_MS, intervalMs }: WaitOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const since = performance.now();
  let last: unknown;
  for (;;) {
    try {
      const value = await fn();
      // What is neither undefined nor false is just the excluded type; TypeScript does not narrow a type parameter so.
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
      last = value;
    } catch (error) {
      last = error;
    }
    const waitedMs = performance.now() - since;
    if (waitedMs > timeoutMs) {
      const reason = last instanceof Error ? last.message : `it gave ${String(last)}`;
      throw new Error(`waited ${timeoutMs} ms for ${what}: ${reason}`, { cause: last });
    }
    await delay(intervalMs ?? Math.min(Math.max(waitedMs / 10, 10), 250));
  }
}
