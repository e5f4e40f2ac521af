/**
 * Tells waiters in this process that something was committed. A signal raised while nobody waits is remembered, so
 * that a commit between "nothing to do" and "wait" is never slept through.
 */
export interface CommitSignal {
  raise(): void;
  /** Resolves at the next `raise` (at once if one is remembered), after `timeoutMs`, or when `signal` aborts. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

/** A fresh signal, with one waiter at most being served per raise by all waiters waking together. */
export function createCommitSignal(): CommitSignal {
  let remembered = false;
  const waiters = new Set<() => void>();
  return {
    raise() {
      remembered = waiters.size === 0;
      for (const wake of [...waiters]) wake();
    },
    async wait(timeoutMs, signal) {
      if (remembered || signal.aborted) {
        remembered = false;
        return;
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", wake);
          waiters.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, timeoutMs);
        signal.addEventListener("abort", wake, { once: true });
        waiters.add(wake);
      });
    },
  };
}
