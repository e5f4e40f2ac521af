/** Tells waiters of this process that something changed, by topic. What happens elsewhere is found by polling. */
export interface Wake {
  raise(topic: string): void;
  /** How many raises there were, of any topic: taken before looking, given to `after`. */
  count(): number;
  /** Resolves when the topic has been raised since `seen`, after the timeout, or when the signal aborts; never rejects. */
  after(topic: string, seen: number, timeoutMs: number, signal: AbortSignal): Promise<void>;
}

/** The topic that the leader waits for; a job's id is the topic of those who watch the job. */
export const LEADER_TOPIC = "leader";

/** A wake of this process. */
export function createWake(): Wake {
  const waiters = new Map<string, Set<() => void>>();
  let raises = 0;
  /** The value of `raises` at the topic's last raise; only topics that someone waits for, and the leader's, are kept. */
  const lastRaise = new Map<string, number>([[LEADER_TOPIC, 0]]);

  return {
    raise(topic) {
      raises++;
      const own = waiters.get(topic);
      if (own !== undefined || topic === LEADER_TOPIC) lastRaise.set(topic, raises);
      for (const end of [...(own ?? [])]) end();
    },
    count: () => raises,
    after(topic, seen, timeoutMs, signal) {
      return new Promise<void>((resolve) => {
        if (signal.aborted || (lastRaise.get(topic) ?? 0) > seen) return resolve();
        const own = waiters.get(topic) ?? new Set();
        waiters.set(topic, own);
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          own.delete(end);
          if (own.size === 0 && waiters.get(topic) === own) {
            waiters.delete(topic);
            if (topic !== LEADER_TOPIC) lastRaise.delete(topic);
          }
          resolve();
        };
        const timer = setTimeout(end, timeoutMs);
        signal.addEventListener("abort", end, { once: true });
        own.add(end);
      });
    },
  };
}
