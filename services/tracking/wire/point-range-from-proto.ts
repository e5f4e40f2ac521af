import type { PointRange } from "../domain/point-range.ts";
import { safeNumber } from "./numbers.ts";

/** The range of steps and times that a request names. Throws `invalid_argument` for a step beyond 2^53 - 1. */
export function pointRangeFromProto(request: {
  readonly minStep?: bigint | undefined;
  readonly maxStep?: bigint | undefined;
  readonly minTimeMs?: number | undefined;
  readonly maxTimeMs?: number | undefined;
}): PointRange {
  const { minStep, maxStep, minTimeMs, maxTimeMs } = request;
  const lowest = -Number.MAX_SAFE_INTEGER;
  return {
    ...(minStep === undefined ? {} : { minStep: safeNumber("min_step", minStep, lowest) }),
    ...(maxStep === undefined ? {} : { maxStep: safeNumber("max_step", maxStep, lowest) }),
    ...(minTimeMs === undefined ? {} : { minTimeMs }),
    ...(maxTimeMs === undefined ? {} : { maxTimeMs }),
  };
}
