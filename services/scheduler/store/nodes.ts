import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Node, Unreaped } from "../domain/node.ts";

const COLLECTION = "nodes";

/** The indexes of the nodes. */
export const nodeIndexes: readonly IndexSpec[] = [
  { collection: COLLECTION, name: "by_project", key: { project: 1, _id: 1 } },
];

type NodeDocument = Omit<Node, "id"> & {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly createdBy: string;
};

/** What `touch` refreshes: all that the agent tells, and nothing that is decided here. */
export type NodeInventory = Omit<
  Node,
  "id" | "project" | "state" | "version" | "unreaped" | "createdAt" | "duty" | "cooldown" | "severed"
>;

/** The nodes: their only reader and writer. */
export interface Nodes {
  all(): Promise<readonly Node[]>;
  /** Stores a node's new state in a transaction; the caller raises the version when it emits an event. */
  put(tx: Tx, node: Node): Promise<void>;
  /** Refreshes what the agent tells of its machine. */
  touch(id: string, inventory: NodeInventory): Promise<void>;
  /** Remembers an attempt that was ended without the node's word. */
  addUnreaped(tx: Tx, id: string, unreaped: Unreaped): Promise<void>;
  /** `undefined` when there is no such node. */
  find(id: string, tx?: Tx): Promise<Node | undefined>;
  removeUnreaped(tx: Tx, id: string, reaped: readonly Unreaped[]): Promise<void>;
}

/** The nodes in this store. */
export function createNodes(store: Store): Nodes {
  const rows = store.collection<NodeDocument>(COLLECTION);
  const fromDocument = ({ _id, schemaVersion: _shape, createdBy: _by, ...rest }: NodeDocument): Node => ({
    ...rest,
    id: _id,
  });
  return {
    async all() {
      const found = await rows.find().sort({ _id: 1 }).toArray();
      return found.map(fromDocument);
    },
    async find(id, tx) {
      const found = await rows.findOne({ _id: id }, tx === undefined ? {} : { session: tx.session });
      return found === null ? undefined : fromDocument(found);
    },
    async put(tx, { id, ...rest }) {
      const document = { ...rest, schemaVersion: 1, createdBy: `agent:${id}` } as const;
      await rows.replaceOne({ _id: id }, document, { upsert: true, session: tx.session });
    },
    async touch(id, inventory) {
      await rows.updateOne({ _id: id }, { $set: inventory });
    },
    async addUnreaped(tx, id, unreaped) {
      await rows.updateOne({ _id: id }, { $addToSet: { unreaped } }, { session: tx.session });
    },
    async removeUnreaped(tx, id, reaped) {
      await rows.updateOne({ _id: id }, { $pullAll: { unreaped: [...reaped] } }, { session: tx.session });
    },
  };
}
