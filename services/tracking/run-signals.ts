import { createLately } from "./domain/lately.ts";

/**
 * Tells waiters, here and in other replicas, that something of a run was committed, so that they need not wait for their
 * poll; and, the other way round, tells who stores what arrives that somebody is about to read it.
 */
export interface RunSignals {
  /** Something of the run was committed here. Others are told when somebody follows it. */
  raise(runId: string): void;
  /** The same, as another replica has told. */
  noteChanged(runId: string): void;
  /**
   * Somebody follows the run, or reads it: for FOLLOWED_MS it counts as followed, here and wherever `tellBy` leads. Returns
   * for how many milliseconds it has done so without a lapse.
   */
  follow(runId: string): number;
  /** The same, as another replica has told: what has arrived here is stored now, where the other one reads it. */
  noteFollowed(runId: string): void;
  /** By what others are told of runs. */
  tellBy(tell: RunTeller): void;
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

/** What others are told of. */
export interface RunTeller {
  /** The run is followed here: at once, and again while it is. */
  readonly followed: (runId: string) => void;
  /** Something of it was committed here, and somebody follows it, wherever. */
  readonly changed: (runId: string) => void;
}

/** One waiter's ear. */
export interface RunListener {
  next(timeoutMs: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** How long a run counts as followed after the last sign of it, and how often others are told at most. */
const FOLLOWED_MS = 5_000;
const TELL_EVERY_MS = 1_000;

export function createRunSignals(): RunSignals {
  const listeners = new Map<string, Set<() => void>>();
  const followed = createLately(FOLLOWED_MS);
  const told = createLately(TELL_EVERY_MS);
  let tell: RunTeller = { followed() {}, changed() {} };
  let settle = (_runId: string): Promise<unknown> | undefined => undefined;

  function wakeAll(runId: string): void {
    for (const wake of listeners.get(runId) ?? []) wake();
  }

  return {
    follow(runId) {
      const forMs = followed.note(runId);
      if (!told.has(runId)) {
        told.note(runId);
        tell.followed(runId);
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
      wakeAll(runId);
      if (followed.has(runId)) tell.changed(runId);
    },
    noteChanged: wakeAll,
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
