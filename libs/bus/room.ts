/** How many messages may be in hand at once, of all consumers that share it. */
export interface Room {
  /**
   * Takes up to so many places, as soon as one is free; who asked first is served first. Gives how many: 0 only when the
   * signal aborted.
   */
  take(wanted: number, signal: AbortSignal): Promise<number>;
  /** Gives places back. */
  leave(places: number): void;
}

interface Waiting {
  readonly wanted: number;
  readonly grant: (places: number) => void;
}

/** A room of so many places, all free. */
export function createRoom(places: number): Room {
  const queue = new Set<Waiting>();
  let free = places;

  function serve(): void {
    for (const one of queue) {
      if (free < 1) return;
      queue.delete(one);
      const granted = Math.min(one.wanted, free);
      free -= granted;
      one.grant(granted);
    }
  }

  return {
    take(wanted, signal) {
      const { promise, resolve } = Promise.withResolvers<number>();
      if (signal.aborted) return Promise.resolve(0);
      const end = () => {
        queue.delete(waiting);
        resolve(0);
      };
      const grant = (granted: number) => {
        signal.removeEventListener("abort", end);
        resolve(granted);
      };
      const waiting: Waiting = { wanted, grant };
      signal.addEventListener("abort", end, { once: true });
      queue.add(waiting);
      serve();
      return promise;
    },
    leave(given) {
      free += given;
      serve();
    },
  };
}
