import type { JobSpec } from "./job-spec.ts";
import { RANK_MEMORY_BYTES, RANK_OPEN_FILES, RANK_PROCESSES } from "./limits.ts";
import { expectInteger, type Violation } from "./violation.ts";

/** Checks what each rank may use of its node; 0 is no limit. */
export function checkRankLimits({ limits }: Pick<JobSpec, "limits">): readonly Violation[] {
  if (limits === undefined) return [];
  const rules = [
    ["spec.limits.memory_bytes", limits.memoryBytes, RANK_MEMORY_BYTES],
    ["spec.limits.processes", limits.processes, RANK_PROCESSES],
    ["spec.limits.open_files", limits.openFiles, RANK_OPEN_FILES],
  ] as const;
  return rules.flatMap(([field, value, { min, max }]) =>
    value === 0 ? [] : expectInteger(field, value, min, max),
  );
}
