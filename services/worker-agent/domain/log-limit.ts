/** What is always shipped of an output's beginning: where a program says what it is and how it was started. */
export const HEAD_BYTES = 8 * 1024 * 1024;
/** An output that is further ahead than this of what was shipped is not caught up with. */
export const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;
/** What is shipped of its end then. */
export const KEPT_BACKLOG_BYTES = 4 * 1024 * 1024;

/**
 * How many bytes of an output are to be left out at `position` when it has grown to `size`: 0, unless a rank printed faster
 * than can be shipped (or the bus was away), and then as many as leave both ends.
 */
export function leftOut({ position, size }: { readonly position: number; readonly size: number }): number {
  if (position < HEAD_BYTES || size - position <= MAX_BACKLOG_BYTES) return 0;
  return size - position - KEPT_BACKLOG_BYTES;
}
