import { DomainError } from "@trainyard/domain";

/** Callers that wait for a slot; more are asked to come again. */
const MAX_WAITING = 64;
const RETRY_AFTER_MS = 5_000;

/** Lets so many do heavy work at once; the others wait in line. */
export interface Slots {
  run<T>(signal: AbortSignal, fn: () => Promise<T>): Promise<T>;
}

/** Slots for so many at once. A caller whose signal aborts leaves the line. */
export function createSlots(count: number): Slots {
  let free = count;
  const line: (() => void)[] = [];

  function take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (free > 0) {
      free--;
      return Promise.resolve();
    }
    if (line.length >= MAX_WAITING) throw busy();
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        line.splice(line.indexOf(turn), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      line.push(turn);
    });
  }

  function giveBack(): void {
    const next = line.shift();
    if (next === undefined) free++;
    else next();
  }

  return {
    async run(signal, fn) {
      await take(signal);
      try {
        return await fn();
      } finally {
        giveBack();
      }
    },
  };
}

function busy(): DomainError {
  return new DomainError(
    "resource_exhausted",
    "TOO_MANY_REGISTRATIONS",
    `${MAX_WAITING} registrations are waiting already; try again in a moment.`,
    { retryAfterMs: RETRY_AFTER_MS },
  );
}
