/** How a rank ended. */
export interface RankExit {
  /** 0 when a signal killed it. */
  readonly code: number;
  /** 0 when it exited. */
  readonly signal: number;
  readonly atMs: number;
  /** 1 for the first rank of this node that ended, and so on. */
  readonly order: number;
  /** The kernel killed it, or one of its processes, because memory was used up. */
  readonly outOfMemory?: boolean;
}

/** Who a process is: a pid alone names nobody, since pids are used again, also over reboots. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot when it started. */
  readonly startTicks: number;
  readonly bootId: string;
}

/** A rank's process, as the shim recorded it. */
export interface RankStart extends ProcessIdentity {
  readonly atMs: number;
}

/** Reads the shim's `exit.json`; undefined when it is not one. The shell's 128 + n for a signal becomes 0. */
export function exitFrom(value: unknown): RankExit | undefined {
  const record = fields(value);
  const { code, signal, at, order, oom } = record;
  if (!isNumber(code) || !isNumber(at) || !isNumber(order)) return undefined;
  const killedBy = isNumber(signal) ? signal : 0;
  const exit = { code: killedBy === 0 ? code : 0, signal: killedBy, atMs: at * 1000, order };
  return oom === true ? { ...exit, outOfMemory: true } : exit;
}

/** Reads `shim.json`, or the identity in `started.json`; undefined when it is not one. */
export function identityFrom(value: unknown): ProcessIdentity | undefined {
  const { pid, startTicks, bootId } = fields(value);
  // A pid below 2 would make a signal go to a whole group, or to init.
  if (!isNumber(pid) || pid < 2 || !isNumber(startTicks) || typeof bootId !== "string") return undefined;
  return { pid, startTicks, bootId };
}

/** Reads the shim's `started.json`; undefined when it is not one. */
export function startFrom(value: unknown): RankStart | undefined {
  const identity = identityFrom(value);
  const { at } = fields(value);
  return identity === undefined || !isNumber(at) ? undefined : { ...identity, atMs: at * 1000 };
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
