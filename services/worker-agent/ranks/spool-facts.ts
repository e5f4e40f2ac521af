import type { SpoolFacts } from "../domain/attempt-phase.ts";
import type { Gang } from "./gang.ts";
import type { Spool } from "./spool.ts";

/** What an attempt's directory shows of how far an earlier agent came with it. The gang has read its records before. */
export function spoolFacts(spool: Spool, gang: Gang, { failed }: { readonly failed: boolean }): SpoolFacts {
  return {
    prepared: spool.prepared,
    failed,
    stopAsked: spool.stopAsked,
    ranksStarted: gang.allStarted,
    rankFailed: gang.anyFailed,
    ranksEnded: spool.done,
    confirmed: spool.finalized,
  };
}
