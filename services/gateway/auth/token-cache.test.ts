import { describe, expect, it } from "vitest";
import type { Token } from "../domain/token.ts";
import { createTokenCache } from "./token-cache.ts";

// The cache looks at no field of it.
const token = (name: string) => ({ name }) as unknown as Token;

describe("the records of tokens in use", () => {
  it("are read again after a second, counted from before they were read: so soon a revocation elsewhere is known", async () => {
    let now = 0;
    let reads = 0;
    const cache = createTokenCache(
      async () => {
        now += 400; // The database takes its time.
        return token(`read ${++reads}`);
      },
      () => now,
    );
    expect(await cache.get("a")).toEqual(token("read 1"));
    now = 999;
    expect(await cache.get("a")).toEqual(token("read 1"));
    now = 1_000;
    expect(await cache.get("a")).toEqual(token("read 2"));
  });

  it("are read at once for a token that was unknown or has been revoked here, also while it was being read", async () => {
    const records: (Token | undefined)[] = [undefined, token("new"), token("old"), token("revoked")];
    const gates = records.map(() => Promise.withResolvers<void>());
    let reads = 0;
    const cache = createTokenCache(
      async () => {
        const mine = reads++;
        await gates[mine]?.promise;
        return records[mine];
      },
      () => 0,
    );
    for (const at of [0, 1]) gates[at]?.resolve();
    expect(await cache.get("a")).toBeUndefined();
    expect(await cache.get("a")).toEqual(token("new"));
    cache.forget("a");
    const reading = cache.get("a");
    cache.forget("a");
    gates[2]?.resolve();
    await reading;
    gates[3]?.resolve();
    expect(await cache.get("a")).toEqual(token("revoked"));
  });
});
