import type { Heartbeat } from "./heartbeat.ts";

/** How many former instances of an agent are remembered, so that their late heartbeats are known as such. */
export const REMEMBERED_INSTANCES = 16;

/** What is remembered of a node's heartbeats, to tell new ones from old. */
export interface HeartbeatOrder {
  readonly instance: string;
  readonly sequence: number;
  /** Former instances, the newest last. */
  readonly retired: readonly string[];
}

type Numbered = Pick<Heartbeat, "agentInstance" | "sequence">;

/**
 * The order after this heartbeat; `undefined` when it is a duplicate, overtaken by a newer one, or from an instance
 * that another has replaced, and so tells nothing.
 */
export function afterHeartbeat(
  known: HeartbeatOrder | undefined,
  next: Numbered,
): HeartbeatOrder | undefined {
  const { agentInstance: instance, sequence } = next;
  if (known === undefined) return { instance, sequence, retired: [] };
  if (known.instance === instance) return sequence > known.sequence ? { ...known, sequence } : undefined;
  if (known.retired.includes(instance)) return undefined;
  return { instance, sequence, retired: [...known.retired, known.instance].slice(-REMEMBERED_INSTANCES) };
}
