import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Token } from "../domain/token.ts";

type TokenDocument = Omit<Token, "id"> & { readonly _id: string; readonly schemaVersion: 1 };

const COLLECTION = "tokens";

/** Newest first is by id: ids sort by the time they were made. */
export const tokenIndexes: readonly IndexSpec[] = [
  { collection: COLLECTION, key: { project: 1, _id: -1 }, name: "newest" },
];

/** API tokens: the only user of their collection. */
export interface Tokens {
  find(id: string, tx?: Tx): Promise<Token | undefined>;
  /** Whether there is any, in force or not. */
  any(tx?: Tx): Promise<boolean>;
  /** All of them, newest first. */
  list(): Promise<readonly Token[]>;
  insert(token: Token, tx: Tx): Promise<void>;
  /** Stores the next version of a token; throws when the stored one is not its predecessor. */
  replace(token: Token, tx: Tx): Promise<void>;
}

/** Most tokens that are listed at once: the newest. */
const MAX_LISTED = 10_000;

export function createTokens(store: Store): Tokens {
  const tokens = store.collection<TokenDocument>(COLLECTION);
  return {
    async find(id, tx) {
      const found = await tokens.findOne({ _id: id }, session(tx));
      return found === null ? undefined : fromDocument(found);
    },
    async any(tx) {
      return (await tokens.findOne({}, { ...session(tx), projection: { _id: 1 } })) !== null;
    },
    async list() {
      return (await tokens.find().sort({ _id: -1 }).limit(MAX_LISTED).toArray()).map(fromDocument);
    },
    async insert(token, tx) {
      await tokens.insertOne(toDocument(token), session(tx));
    },
    async replace(token, tx) {
      const before = { _id: token.id, version: token.version - 1 };
      const { matchedCount } = await tokens.replaceOne(before, toDocument(token), session(tx));
      if (matchedCount !== 1) throw new Error(`token ${token.id} is not at version ${before.version}`);
    },
  };
}

function session(tx: Tx | undefined) {
  return tx === undefined ? {} : { session: tx.session };
}

function toDocument({ id, ...rest }: Token): TokenDocument {
  return { _id: id, schemaVersion: 1, ...rest };
}

function fromDocument({ _id, schemaVersion: _, ...rest }: TokenDocument): Token {
  return { id: _id, ...rest };
}
