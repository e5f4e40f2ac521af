import type { Heartbeat } from "./domain/heartbeat.ts";
import { afterHeartbeat, type HeartbeatOrder } from "./domain/heartbeat-order.ts";

/** A node's newest heartbeat, and when it arrived by this process's clocks. */
export interface Heard {
  readonly heartbeat: Heartbeat;
  /** Monotonic. */
  readonly heardMs: number;
  readonly heardAt: Date;
}

/** The newest heartbeat of each node, in memory: every replica listens, so that a new leader need not wait for them. */
export interface Fleet {
  /** Takes a heartbeat. `ignored`: a duplicate or an old one. `changed`: it says something that the last did not. */
  hear(heartbeat: Heartbeat, nowMs: number, now: Date): "ignored" | "same" | "changed";
  latest(nodeId: string): Heard | undefined;
  nodeIds(): readonly string[];
}

/** A fleet of which nothing has been heard yet. */
export function createFleet(): Fleet {
  const heard = new Map<string, Heard & { readonly order: HeartbeatOrder; readonly content: string }>();
  return {
    hear(heartbeat, heardMs, heardAt) {
      const known = heard.get(heartbeat.nodeId);
      const order = afterHeartbeat(known?.order, heartbeat);
      if (order === undefined) return "ignored";
      const content = contentOf(heartbeat);
      heard.set(heartbeat.nodeId, { heartbeat, heardMs, heardAt, order, content });
      return known?.content === content ? "same" : "changed";
    },
    latest: (nodeId) => heard.get(nodeId),
    nodeIds: () => [...heard.keys()],
  };
}

/** Everything but what changes with each heartbeat of a healthy node. */
function contentOf({ sequence: _sequence, ...rest }: Heartbeat): string {
  return JSON.stringify(rest, (key, value) =>
    key === "lastStep" || key === "busyPercent" ? undefined : value,
  );
}
