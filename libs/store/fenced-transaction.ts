import { StaleLeaseError } from "./errors.ts";
import type { Lease, LeaseToken } from "./lease.ts";
import { collections, type LeaseRow } from "./schema.ts";
import type { Tx } from "./store.ts";

/**
 * Runs a transaction that commits only while its token is the lease's newest. It *writes* the lease document: merely
 * reading it would let a transaction that had read token 1 commit after token 2 was taken, since two transactions
 * conflict over writes alone. Give the `grant` under which a decision was made to have it applied under no other.
 * Throws StaleLeaseError, with nothing written, when the token is stale or the lease is not held.
 */
export async function fencedTransaction<T>(
  lease: Lease,
  label: string,
  fn: (tx: Tx, token: number) => Promise<T>,
  grant: LeaseToken | undefined = lease.token(),
): Promise<T> {
  if (grant === undefined) throw new StaleLeaseError(lease.leaseName, undefined);
  const { token, signal } = grant;
  return lease.store.transaction(label, async (tx) => {
    if (signal.aborted) throw new StaleLeaseError(lease.leaseName, token);
    const { matchedCount } = await lease.store
      .collection<LeaseRow>(collections.leases)
      .updateOne(
        { _id: lease.leaseName, token, holder: { $ne: null } },
        { $inc: { fencedWrites: 1 } },
        { session: tx.session },
      );
    if (matchedCount === 0) throw new StaleLeaseError(lease.leaseName, token);
    return fn(tx, token);
  });
}
