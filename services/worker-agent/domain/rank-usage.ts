/** What the processes of one session have used so far, and hold now. */
export interface SessionCounters {
  /** Monotonic milliseconds of the look. */
  readonly atMs: number;
  /** Processor time of all its live processes since they started. */
  readonly cpuMs: number;
  /** Resident memory; what processes share is counted once for each. */
  readonly memoryBytes: number;
  /** Bytes fetched from and sent to storage; 0 where the kernel does not tell. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Live processes. */
  readonly processes: number;
}

/** What one rank, with all that it has started, uses. */
export interface RankUsage {
  /** Of one core: 100 is one core wholly busy. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly readBytesPerSecond: number;
  readonly writtenBytesPerSecond: number;
  readonly processes: number;
  /** Mean over the GPUs it was given; undefined without, or where they do not tell. */
  readonly gpuPercent?: number;
  readonly gpuMemoryBytes?: number;
}

/**
 * Usage between two looks. A helper process that ended in between takes its counters with it, so a sum may have fallen: that
 * counts as nothing used, never as less than nothing.
 */
export function usageBetween(before: SessionCounters, now: SessionCounters): RankUsage | undefined {
  const seconds = (now.atMs - before.atMs) / 1000;
  if (seconds <= 0) return undefined;
  const rate = (from: number, to: number) => Math.max(0, to - from) / seconds;
  return {
    cpuPercent: rate(before.cpuMs, now.cpuMs) / 10,
    memoryBytes: now.memoryBytes,
    readBytesPerSecond: rate(before.readBytes, now.readBytes),
    writtenBytesPerSecond: rate(before.writtenBytes, now.writtenBytes),
    processes: now.processes,
  };
}
