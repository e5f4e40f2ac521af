import { type Heartbeat, isPartOver, OLDEST_AGENT_PROTOCOL_VERSION } from "./heartbeat.ts";
import type { Node } from "./node.ts";

/** Names one attempt of one job. */
export function attemptKey(jobId: string, attempt: number): string {
  return `${jobId}/${attempt}`;
}

/**
 * Why nothing may be placed on the node now; `undefined` when something may. `live` are the attempts that are expected
 * there. A part that is alive but not expected (of an attempt that was ended without this node's word) still occupies
 * the devices, whatever the records say.
 */
export function whyUnusable(
  node: Pick<Node, "state" | "unreaped">,
  heartbeat: Heartbeat | undefined,
  live: ReadonlySet<string>,
): string | undefined {
  if (node.state !== "ready") return `the node is ${node.state}`;
  if (heartbeat === undefined) return "no heartbeat of it has arrived since this scheduler took over";
  if (heartbeat.protocolVersion < OLDEST_AGENT_PROTOCOL_VERSION) {
    return `its agent speaks protocol version ${heartbeat.protocolVersion}; at least ${OLDEST_AGENT_PROTOCOL_VERSION} is needed: update the agent`;
  }
  const stale = node.unreaped[0];
  if (stale !== undefined) {
    return `attempt ${stale.attempt} of ${stale.jobId} was given up while the node was away and is not confirmed dead`;
  }
  const stray = heartbeat.parts.find(
    ({ jobId, attempt, phase }) => !isPartOver(phase) && !live.has(attemptKey(jobId, attempt)),
  );
  if (stray === undefined) return undefined;
  return `attempt ${stray.attempt} of ${stray.jobId} is still alive there and has no right to be`;
}
