import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { NodeOrder } from "../domain/node-duty.ts";

const COLLECTION = "node_orders";

/** The indexes of the orders: none beside that of the node's id. */
export const nodeOrderIndexes: readonly IndexSpec[] = [];

type OrderDocument = Omit<NodeOrder, "nodeId"> & {
  readonly _id: string;
  readonly project: string;
  readonly schemaVersion: 1;
};

/**
 * What operators want of nodes: the newest order of each. Any replica writes it; the leader, the only writer of the nodes
 * themselves, takes it from here.
 */
export interface NodeOrders {
  all(): Promise<readonly NodeOrder[]>;
  /** Replaces the node's order, with the next revision. */
  give(tx: Tx, order: Omit<NodeOrder, "revision">, project: string): Promise<NodeOrder>;
}

/** The orders in this store. */
export function createNodeOrders(store: Store): NodeOrders {
  const rows = store.collection<OrderDocument>(COLLECTION);
  return {
    async all() {
      const found = await rows.find().toArray();
      return found.map(({ _id, schemaVersion: _shape, project: _project, ...order }) => ({
        ...order,
        nodeId: _id,
      }));
    },
    async give(tx, { nodeId, ...order }, project) {
      const before = await rows.findOne({ _id: nodeId }, { session: tx.session });
      const revision = (before?.revision ?? 0) + 1;
      const document = { ...order, project, schemaVersion: 1, revision } as const;
      await rows.replaceOne({ _id: nodeId }, document, { upsert: true, session: tx.session });
      return { ...order, nodeId, revision };
    },
  };
}
