import type { Client } from "@connectrpc/connect";
import type { tracking as trackingContract } from "@trainyard/contracts";
import { fencedTransaction, type Lease, type LeaseToken, type Tx } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { BusProbe } from "../bus-probe.ts";
import type { Config } from "../config.ts";
import type { Fleet } from "../fleet.ts";
import type { Stacks } from "../stacks.ts";
import type { Jobs } from "../store/jobs.ts";
import type { NodeOrders } from "../store/node-orders.ts";
import type { Nodes } from "../store/nodes.ts";
import type { Wake } from "../wake.ts";
import type { DesiredBucket } from "./desired-bucket.ts";

/** What the leader works with. */
export interface LeaderDeps {
  readonly config: Pick<
    Config,
    | "nodeSuspectAfterMs"
    | "nodeLostAfterMs"
    | "nodeRestartWithinMs"
    | "stopGraceMs"
    | "growAfterMs"
    | "slowAfterMs"
  >;
  readonly lease: Lease;
  readonly jobs: Jobs;
  readonly nodes: Nodes;
  readonly nodeOrders: NodeOrders;
  readonly stacks: Stacks;
  readonly fleet: Fleet;
  readonly probe: BusProbe;
  readonly tracking: Client<typeof trackingContract.TrackingService>;
  readonly bucket: DesiredBucket;
  /** Makes the ranks' token of one attempt. */
  readonly rankToken: (runId: string, attempt: number, project: string) => Promise<string>;
  readonly wake: Wake;
  readonly logger: Logger;
}

/** One unbroken time of leadership. Everything the leader writes, it writes under this term's token. */
export interface Term extends LeaderDeps {
  readonly grant: LeaseToken;
  /** A transaction that commits only while this term is the newest. */
  readonly fenced: <T>(label: string, fn: (tx: Tx) => Promise<T>) => Promise<T>;
}

/** Begins a term. */
export function createTerm(deps: LeaderDeps, grant: LeaseToken): Term {
  return { ...deps, grant, fenced: (label, fn) => fencedTransaction(deps.lease, label, fn, grant) };
}
