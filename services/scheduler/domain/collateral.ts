import { exceptionLine } from "./exception-line.ts";

/**
 * What a rank's collective says when another rank of the gang is gone, by Gloo, NCCL, MPI and the TCP store. Such a rank
 * tells that somebody else failed, and not what failed.
 */
const peerLost: readonly RegExp[] = [
  /connection (was )?(closed|reset|aborted) by (remote )?peer/i,
  /\bgloo\b.*(connect|timed out|socket)/i,
  /\bApplication timeout caused pair closure\b/,
  /remote process exited or there was a network error/i,
  /\bsocket timeout\b/i,
  /\bDistNetworkError\b/,
  /\bDistBackendError\b/,
  /\bDistStoreError\b/,
  /\b(ncclRemoteError|ncclSystemError|NCCL communicator was aborted)\b/,
  /another rank of the gang/i,
];

/** Whether what a failed rank said is about a peer and not about itself. */
export function isPeerLost(tracebackTail: string): boolean {
  const raised = exceptionLine(tracebackTail);
  return raised !== undefined && peerLost.some((pattern) => pattern.test(raised));
}
