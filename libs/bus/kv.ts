import { type KV, Kvm, type KvOptions } from "@nats-io/kv";
import type { Bus } from "./bus.ts";
import { apiCodes, hasApiCode } from "./errors.ts";

/** The buckets of the platform. */
export const buckets = { desired: "desired", rendezvous: "rendezvous" } as const;

/** Opens a bucket, creating it when it is missing: for its owner. */
export async function createKv(bus: Bus, bucket: string, options: Partial<KvOptions> = {}): Promise<KV> {
  return new Kvm(bus.js).create(bucket, { history: 1, ...options });
}

/**
 * Opens a bucket that its owner has made, without the right to create it: for readers. The rendezvous bucket is read
 * through the stream's API, which wraps what it returns: agents, who write it, may not get its bytes as they are.
 */
export async function openKv(bus: Bus, bucket: string): Promise<KV> {
  return new Kvm(bus.js).open(bucket, { allow_direct: bucket !== buckets.rendezvous });
}

/** Whether a compare-and-set on a key lost against another writer. */
export function isKvConflict(error: unknown): boolean {
  return hasApiCode(error, apiCodes.wrongLastSequence);
}
