import { isDiskFull } from "../ranks/durable-file.ts";
import type { StartFailure } from "../ranks/spool.ts";

/** An attempt cannot start on this node. Its reason and message go into the heartbeat, and from there to the user. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly reason: StartFailure["reason"];

  /** The end of what the failed step printed. */
  readonly tail: string;

  constructor(reason: StartFailure["reason"], message: string, cause?: unknown, tail = "") {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.tail = tail;
  }
}

/** Runs one step of preparing; whatever fails in it becomes a `StartError` that says what was being done. */
export async function step<T>(
  reason: StartFailure["reason"],
  what: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof StartError) throw error;
    throw new StartError(reason, `${what} failed: ${describe(error)}.`, error);
  }
}

function describe(error: unknown): string {
  if (isDiskFull(error))
    return "the disk of the node is full; free space on it, or run the job on another node";
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}
