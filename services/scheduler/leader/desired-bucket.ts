import { type Bus, buckets, createKv } from "@trainyard/bus";
import type { workeragent } from "@trainyard/contracts";
import { readDesiredState, type Signer, signDesiredState, type Verifier } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";

/** A node's desired state as it stands in the bucket. Revision 0: there is none. */
export interface StoredDesired {
  readonly revision: number;
  /** Absent when what stands there is not the scheduler's. */
  readonly state: workeragent.NodeDesiredState | undefined;
}

/** The bucket of desired states: what agents read, and only the scheduler's leader writes, signed with its key. */
export interface DesiredBucket {
  read(nodeId: string): Promise<StoredDesired>;
  /** Writes if the key is still at this revision; gives the new one. Throws what `isKvConflict` knows otherwise. */
  write(state: workeragent.NodeDesiredState, revision: number): Promise<number>;
}

/** What the bucket is opened with. */
export interface DesiredBucketOptions {
  readonly bus: Bus;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly logger: Logger;
}

/** Ranks that have not met within this never will: their attempt has ended long before. */
const RENDEZVOUS_TTL_MS = 24 * 60 * 60 * 1000;

/** The key of a node's desired state. */
export function desiredKey(nodeId: string): string {
  return `node.${nodeId}`;
}

/** Opens the bucket, made if missing, and makes the one in which gangs meet. A value that the scheduler did not sign counts as none: it is written anew. */
export async function openDesiredBucket(options: DesiredBucketOptions): Promise<DesiredBucket> {
  const { bus, signer, verifier, logger } = options;
  // The agents list the bucket by direct gets.
  const kv = await createKv(bus, buckets.desired, { allow_direct: true });
  // Where the nodes of one gang tell each other its store's address. The agents use it and may not make it.
  await createKv(bus, buckets.rendezvous, { ttl: RENDEZVOUS_TTL_MS });
  return {
    async read(nodeId) {
      const entry = await kv.get(desiredKey(nodeId));
      if (entry === null) return { revision: 0, state: undefined };
      const { revision } = entry;
      if (entry.operation !== "PUT") return { revision, state: undefined };
      const reading = await readDesiredState(verifier, nodeId, entry.value);
      if (reading.kind === "sound") return { revision, state: reading.state };
      logger.error(
        { node: nodeId, revision, why: reading.why },
        "the stored desired state is not the scheduler's; writing it anew",
      );
      return { revision, state: undefined };
    },
    async write(state, revision) {
      const bytes = await signDesiredState(signer, state);
      const key = desiredKey(state.nodeId);
      // The client refuses an update of revision 0 and has `create` for it.
      return revision === 0 ? kv.create(key, bytes) : kv.update(key, bytes, revision);
    },
  };
}
