/**
 * Tells waiters in this process that something of a run was committed, so that they need not wait for their poll; and, the
 * other way round, tells who stores what arrives that somebody is about to read it.
 */
export interface RunSignals {
  raise(runId: string): void;
  /** Whether somebody waits for what comes of the run, here or perhaps in another replica. */
  isFollowed(runId: string): boolean;
  /** Whether this is the only replica; not, until told. */
  noteAlone(alone: boolean): void;
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

/** Signals of this process; other replicas find what it commits by polling. */
export function createRunSignals(): RunSignals {
  const listeners = new Map<string, Set<() => void>>();
  let alone = false;
  let settle = (_runId: string): Promise<unknown> | undefined => undefined;
  return {
    isFollowed: (runId) => !alone || listeners.has(runId),
    noteAlone(isAlone) {
      alone = isAlone;
    },
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
