/** Part of an output as it lies in its archive. */
export interface LogPiece {
  /** Offsets in the output; `end` is excluded. */
  readonly begin: number;
  readonly end: number;
  /** When an agent read its first byte, milliseconds since 1970. */
  readonly observedMs: number;
}

/** A piece grows no longer than this: it is what a reader unpacks at once. */
const MAX_PIECE_BYTES = 256 * 1024;
/** Shortest time that one piece may span; outputs of several ranks are put in order piece by piece. */
const MIN_SPAN_MS = 250;
/** Pieces that an output of any duration has about, beside those that their size makes. */
const MAX_SPANS = 10_000;

/** How long a piece may span in an output that was read between these times. */
export function pieceSpanMs(firstMs: number, lastMs: number): number {
  return Math.max(MIN_SPAN_MS, (lastMs - firstMs) / MAX_SPANS);
}

/** Whether what was read next belongs into the same piece: it follows at once, soon after, and there is room. */
export function joinsPiece(piece: LogPiece, next: LogPiece, spanMs: number): boolean {
  return (
    next.begin === piece.end &&
    next.end - piece.begin <= MAX_PIECE_BYTES &&
    next.observedMs - piece.observedMs <= spanMs
  );
}

/** Where the archive of an output is among the run's artifacts; numbers sort as text among up to ten thousand ranks. */
export function archivePath(source: {
  readonly attempt: number;
  readonly rank: number;
  readonly kind: string;
}): string {
  const rank = String(source.rank).padStart(4, "0");
  return `trainyard/logs/attempt-${source.attempt}/rank-${rank}.${source.kind}.log.gz`;
}
