/** Resolves after `ms`, or at once when `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** Waits for `work`, but no longer than until `signal` aborts: what a part's `stop` may take. */
export async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true, signal: ended.signal });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    ended.abort();
  }
}
