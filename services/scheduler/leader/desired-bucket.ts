import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Bus, buckets, createKv } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import type { Logger } from "@trainyard/telemetry";

/** A node's desired state as it stands in the bucket. Revision 0: there is none. */
export interface StoredDesired {
  readonly revision: number;
  readonly state: workeragent.NodeDesiredState | undefined;
}

/** The bucket of desired states: what agents read, and only the scheduler's leader writes. */
export interface DesiredBucket {
  read(nodeId: string): Promise<StoredDesired>;
  /** Writes if the key is still at this revision; gives the new one. Throws what `isKvConflict` knows otherwise. */
  write(state: workeragent.NodeDesiredState, revision: number): Promise<number>;
}

/** The key of a node's desired state. */
export function desiredKey(nodeId: string): string {
  return `node.${nodeId}`;
}

/** Opens the bucket, made if missing. A value that cannot be read counts as none: it is written anew. */
export async function openDesiredBucket(bus: Bus, logger: Logger): Promise<DesiredBucket> {
  // The agents list the bucket by direct gets.
  const kv = await createKv(bus, buckets.desired, { allow_direct: true });
  return {
    async read(nodeId) {
      const entry = await kv.get(desiredKey(nodeId));
      if (entry === null) return { revision: 0, state: undefined };
      if (entry.operation !== "PUT") return { revision: entry.revision, state: undefined };
      try {
        return {
          revision: entry.revision,
          state: fromBinary(workeragent.NodeDesiredStateSchema, entry.value),
        };
      } catch (error) {
        logger.error(
          { err: error, node: nodeId },
          "the stored desired state cannot be read; writing it anew",
        );
        return { revision: entry.revision, state: undefined };
      }
    },
    write(state, revision) {
      const bytes = toBinary(workeragent.NodeDesiredStateSchema, state);
      const key = desiredKey(state.nodeId);
      // The client refuses an update of revision 0 and has `create` for it.
      return revision === 0 ? kv.create(key, bytes) : kv.update(key, bytes, revision);
    },
  };
}
