/** The version of the desired-state protocol that this agent speaks. */
export const PROTOCOL_VERSION = 1;

/** How new a desired state is: the leader's fencing token first, then its own counter. */
export interface DesiredVersion {
  readonly epoch: bigint;
  readonly generation: bigint;
}

/** What to do with a desired state that was read. */
export type Reception = "apply" | "older" | "unknown_protocol" | "other_node";

/**
 * Whether a desired state counts. An older one is ignored (a deposed leader may still write), the same one is applied
 * again (that changes nothing), one of an unknown protocol is not guessed at.
 */
export function receive(
  state: DesiredVersion & { readonly protocolVersion: number; readonly nodeId: string },
  nodeId: string,
  applied: DesiredVersion | undefined,
): Reception {
  if (state.protocolVersion !== PROTOCOL_VERSION) return "unknown_protocol";
  if (state.nodeId !== nodeId) return "other_node";
  return applied === undefined || compare(state, applied) >= 0 ? "apply" : "older";
}

function compare(a: DesiredVersion, b: DesiredVersion): number {
  const [left, right] = a.epoch === b.epoch ? [a.generation, b.generation] : [a.epoch, b.epoch];
  return left < right ? -1 : left > right ? 1 : 0;
}
