import { setTimeout as delay } from "node:timers/promises";
import { isTransient } from "../client/call-error.ts";

const waitMs = 1_000;
const maxTries = 60;

/**
 * A stream that is opened again when the platform goes away for a moment. It ends when the server ends it, unless
 * `isUnfinished` says that it ended too early; `onLost` is told once per interruption.
 */
export async function* reconnecting<T>(
  open: () => AsyncIterable<T>,
  isUnfinished: () => boolean,
  signal: AbortSignal,
  onLost: (reason: string) => void,
): AsyncGenerator<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      for await (const message of open()) {
        tries = 0;
        yield message;
      }
      if (!isUnfinished()) return;
    } catch (error) {
      if (signal.aborted || !isTransient(error) || tries >= maxTries) throw error;
    }
    if (tries === 1) onLost("the connection was lost; trying again");
    await delay(waitMs, undefined, { signal });
  }
}
