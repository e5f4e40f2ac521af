import { HEAD_BYTES, KEPT_BACKLOG_BYTES, MAX_BACKLOG_BYTES } from "./log-limit.ts";

/** Bytes of a file from `begin` to before `end`. */
export interface Hole {
  readonly begin: number;
  readonly end: number;
}

/** Less than this is not worth freeing. */
const MIN_HOLE_BYTES = 8 * 1024 * 1024;
/** Ahead of what is shipped: a batch may be on its way, and the beginning of the output is shipped in any case. */
const AHEAD_BYTES = 1024 * 1024;

/**
 * Which parts of an output's file nobody will read again: what is stored for good, and what will be left out because it
 * cannot be shipped any more (see `leftOut`, which leaves out at least as much when its turn comes). `stored` is what
 * tracking has confirmed, `position` what has been published.
 */
export function logHoles({
  stored,
  position,
  size,
}: {
  readonly stored: number;
  readonly position: number;
  readonly size: number;
}): readonly Hole[] {
  const begin = Math.max(position, HEAD_BYTES) + AHEAD_BYTES;
  const isBehind = size - begin > MAX_BACKLOG_BYTES;
  const holes = [
    { begin: 0, end: Math.min(stored, position) },
    ...(isBehind ? [{ begin, end: size - KEPT_BACKLOG_BYTES }] : []),
  ];
  return holes.filter((hole) => hole.end - hole.begin >= MIN_HOLE_BYTES);
}
