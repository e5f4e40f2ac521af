import type { Tx } from "@trainyard/store";

/** The options that put a MongoDB call into the transaction, if there is one. */
export function session(tx: Tx | undefined) {
  return tx === undefined ? {} : { session: tx.session };
}
