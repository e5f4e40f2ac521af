/** A second Ctrl-C within this time is the same key press, passed on by npm or a shell as well. */
const sameKeyPressMs = 400;

/** Resolves with the first signal that asks the process to end. The next one ends it at once, by `force`. */
export function stopSignal(force: (signal: NodeJS.Signals) => never): Promise<NodeJS.Signals> {
  const first = Promise.withResolvers<NodeJS.Signals>();
  let firstAt: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (firstAt === undefined) {
        firstAt = now;
        first.resolve(signal);
      } else if (now - firstAt > sameKeyPressMs) force(signal);
    });
  }
  return first.promise;
}
