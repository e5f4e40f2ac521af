/** How a launcher says it is. */
export interface LauncherCondition {
  /** Whether its code is that on disk. */
  readonly current: boolean;
  /** Names the interpreter and environment that it was started with. */
  readonly label: string;
  /** Attempts started so far. */
  readonly jobs: number;
  /** How much its memory has grown since it was ready. */
  readonly grownBytes: number;
}

/** After so many attempts a launcher is replaced, whatever it has gathered by then. */
export const MAX_LAUNCHER_JOBS = 200;
/** A launcher only forks; one that has grown by this much leaks. */
export const MAX_LAUNCHER_GROWTH_BYTES = 256 * 1024 * 1024;

/** Why a launcher is to be replaced by a new one; undefined when it is good. `label` is what it should have. */
export function whyReplace(
  condition: LauncherCondition,
  label: string,
  maxJobs = MAX_LAUNCHER_JOBS,
): string | undefined {
  if (!condition.current) return "its code is not that on disk";
  if (condition.label !== label) return "it was started with another interpreter or environment";
  if (condition.jobs >= maxJobs) return `it has started ${condition.jobs} attempts`;
  if (condition.grownBytes >= MAX_LAUNCHER_GROWTH_BYTES)
    return `its memory grew by ${Math.round(condition.grownBytes / 2 ** 20)} MiB`;
  return undefined;
}

/** How a shim was started: its ranks forked from the launcher, or each with an interpreter of its own, and why. */
export type ShimStart = { readonly start: "warm" } | { readonly start: "cold"; readonly reason: string };

/** Reads the answer to a ping; undefined when it is none. */
export function conditionFrom(answer: unknown): LauncherCondition | undefined {
  const { current, label, jobs, grownBytes } = fields(answer);
  if (typeof current !== "boolean" || typeof label !== "string") return undefined;
  if (typeof jobs !== "number" || typeof grownBytes !== "number") return undefined;
  return { current, label, jobs, grownBytes };
}

/** Reads the answer to a start; undefined when it is none. */
export function shimStartFrom(answer: unknown): ShimStart | undefined {
  const { start, reason } = fields(answer);
  if (start === "warm") return { start };
  return start === "cold" && typeof reason === "string" ? { start, reason } : undefined;
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
