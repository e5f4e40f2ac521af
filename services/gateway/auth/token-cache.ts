import type { Token } from "../domain/token.ts";

/** How long a token's record is believed: a revocation in another process takes effect within this. */
const FRESH_MS = 1_000;

/** Bounds the memory that callers can make the gateway use. */
const MAX_ENTRIES = 10_000;

/** The records of tokens that are in use. */
export interface TokenCache {
  get(tokenId: string): Promise<Token | undefined>;
  forget(tokenId: string): void;
}

/** Remembers for a second. That a token is unknown is not remembered, so a new one works at once. */
export function createTokenCache(
  load: (tokenId: string) => Promise<Token | undefined>,
  now: () => number = () => performance.now(),
): TokenCache {
  const entries = new Map<string, { readonly token: Token; readonly at: number }>();
  /** Raised by `forget`: a record that was being read meanwhile may be the old one. */
  let forgotten = 0;
  return {
    async get(tokenId) {
      const known = entries.get(tokenId);
      if (known !== undefined && now() - known.at < FRESH_MS) return known.token;
      entries.delete(tokenId);
      const [at, before] = [now(), forgotten];
      const token = await load(tokenId);
      if (token !== undefined && before === forgotten) {
        const [oldest] = entries.keys();
        if (entries.size >= MAX_ENTRIES && oldest !== undefined) entries.delete(oldest);
        entries.set(tokenId, { token, at });
      }
      return token;
    },
    forget(tokenId) {
      forgotten++;
      entries.delete(tokenId);
    },
  };
}
