import { createLately } from "./domain/lately.ts";

/**
 * Tells waiters in this process that something of a run was committed, so that they need not wait for their poll; and, the
 * other way round, tells who stores what arrives that somebody is about to read it.
 */
export interface RunSignals {
  raise(runId: string): void;
  /**
   * Somebody follows the run, or reads it: for FOLLOWED_MS it counts as followed, here and wherever `tellBy` leads. Returns
   * for how many milliseconds it has done so without a lapse.
   */
  follow(runId: string): number;
  /** The same, as another replica has told: what has arrived here is stored now, where the other one reads it. */
  noteFollowed(runId: string): void;
  /** By what others are told of a run that is followed here: at once, and again while it is. */
  tellBy(tell: (runId: string) => void): void;
  /** Whether somebody follows the run, or waits for what comes of it. */
  isFollowed(runId: string): boolean;
  /** Resolves when what had arrived of the run is stored, and has it stored now; undefined when nothing waits. */
  settled(runId: string): Promise<unknown> | undefined;
  /** By what arrivals are stored at once. */
  settleBy(settle: (runId: string) => Promise<unknown> | undefined): void;
  /**
   * Starts to listen. `next` resolves at the next raise since the last `next`, after `timeoutMs`, or when `signal`
   * aborts. Close it.
   */
  listen(runId: string): RunListener;
}

/** One waiter's ear. */
export interface RunListener {
  next(timeoutMs: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** How long a run counts as followed after the last sign of it, and how often others are told at most. */
const FOLLOWED_MS = 5_000;
const TELL_EVERY_MS = 1_000;

/** Signals of this process; other replicas find what it commits by polling. */
export function createRunSignals(): RunSignals {
  const listeners = new Map<string, Set<() => void>>();
  const followed = createLately(FOLLOWED_MS);
  const told = createLately(TELL_EVERY_MS);
  let tell = (_runId: string) => {};
  let settle = (_runId: string): Promise<unknown> | undefined => undefined;
  return {
    follow(runId) {
      const forMs = followed.note(runId);
      if (!told.has(runId)) {
        told.note(runId);
        tell(runId);
      }
      return forMs;
    },
    noteFollowed(runId) {
      followed.note(runId);
      void settle(runId);
    },
    tellBy(by) {
      tell = by;
    },
    isFollowed: (runId) => listeners.has(runId) || followed.has(runId),
    settled: (runId) => settle(runId),
    settleBy(by) {
      settle = by;
    },
    raise(runId) {
      for (const wake of listeners.get(runId) ?? []) wake();
    },
    listen(runId) {
      let raised = false;
      let resume: (() => void) | undefined;
      const wake = () => {
        raised = true;
        resume?.();
      };
      const ofRun = listeners.get(runId) ?? new Set();
      listeners.set(runId, ofRun.add(wake));
      return {
        async next(timeoutMs, signal) {
          if (!raised && !signal.aborted) {
            await new Promise<void>((resolve) => {
              const end = () => {
                clearTimeout(timer);
                signal.removeEventListener("abort", end);
                resume = undefined;
                resolve();
              };
              const timer = setTimeout(end, timeoutMs);
              signal.addEventListener("abort", end, { once: true });
              resume = end;
            });
          }
          raised = false;
        },
        close() {
          ofRun.delete(wake);
          if (ofRun.size === 0 && listeners.get(runId) === ofRun) listeners.delete(runId);
        },
      };
    },
  };
}
