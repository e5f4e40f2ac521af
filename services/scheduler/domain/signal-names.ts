/** Names of the signals that end processes, by their numbers on Linux. */
const names: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};

/** A signal for people: "signal 9 (SIGKILL)"; the number alone where it has no name here. */
export function describeSignal(signal: number): string {
  const name = names[signal];
  return name === undefined ? `signal ${signal}` : `signal ${signal} (${name})`;
}
