import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { JoinToken } from "../domain/join-token.ts";

type JoinTokenDocument = Omit<JoinToken, "id"> & {
  readonly _id: string;
  readonly project: string;
  readonly schemaVersion: 1;
};

const COLLECTION = "join_tokens";
/** Nodes belong to the platform and to no project of it. */
const PROJECT = "default";

/** Join tokens: the only user of their collection. */
export interface JoinTokens {
  find(id: string, tx?: Tx): Promise<JoinToken | undefined>;
  insert(token: JoinToken, tx: Tx): Promise<void>;
  /** Stores the next version of a token; throws when the stored one is not its predecessor. */
  replace(token: JoinToken, tx: Tx): Promise<void>;
  /** Says of every other token of the node that was used that its keys do not count any more. */
  supersedeOthers(token: JoinToken, at: Date, tx: Tx): Promise<void>;
}

/** Tokens are kept for a while after their end, to say who used them. */
const KEPT_AFTER_END_SECONDS = 90 * 24 * 3_600;

export const joinTokenIndexes: readonly IndexSpec[] = [
  { collection: COLLECTION, key: { nodeId: 1 }, name: "node" },
  { collection: COLLECTION, key: { expiresAt: 1 }, name: "end", expireAfterSeconds: KEPT_AFTER_END_SECONDS },
];

export function createJoinTokens(store: Store): JoinTokens {
  const tokens = store.collection<JoinTokenDocument>(COLLECTION);
  const inTx = (tx: Tx | undefined) => (tx === undefined ? {} : { session: tx.session });
  return {
    async find(id, tx) {
      const found = await tokens.findOne({ _id: id }, inTx(tx));
      return found === null ? undefined : fromDocument(found);
    },
    async insert(token, tx) {
      await tokens.insertOne(toDocument(token), inTx(tx));
    },
    async replace(token, tx) {
      const before = { _id: token.id, version: token.version - 1 };
      const { matchedCount } = await tokens.replaceOne(before, toDocument(token), inTx(tx));
      if (matchedCount !== 1) throw new Error(`join token ${token.id} is not at version ${before.version}`);
    },
    async supersedeOthers({ id, nodeId }, at, tx) {
      const others = { nodeId, _id: { $ne: id }, used: { $exists: true }, supersededAt: { $exists: false } };
      await tokens.updateMany(others, { $set: { supersededAt: at }, $inc: { version: 1 } }, inTx(tx));
    },
  };
}

function toDocument({ id, ...rest }: JoinToken): JoinTokenDocument {
  return { _id: id, project: PROJECT, schemaVersion: 1, ...rest };
}

function fromDocument({ _id, project: _project, schemaVersion: _, ...rest }: JoinTokenDocument): JoinToken {
  return { id: _id, ...rest };
}
