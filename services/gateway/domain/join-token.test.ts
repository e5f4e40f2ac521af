import { describe, expect, it } from "vitest";
import {
  assertNodeKeys,
  formatJoinToken,
  type JoinToken,
  joinTokenEnd,
  parseJoinToken,
  useJoinToken,
} from "./join-token.ts";

const keys = { signingKey: "x".repeat(43), busKey: `U${"A".repeat(55)}` };
const now = new Date(1_000_000);
const token: JoinToken = {
  id: "join_01h455vb4pex5vsknk084sn02q",
  nodeId: "gpu-7",
  secretHash: "",
  createdBy: "user:ada",
  createdAt: new Date(0),
  expiresAt: new Date(2_000_000),
  version: 1,
};

describe("a join token", () => {
  it("is used once, by one machine, which may ask again until it ends or a later one counts", () => {
    const used = useJoinToken(token, keys, now);
    expect(used).toMatchObject({ used: { ...keys, at: now }, version: 2 });
    expect(useJoinToken(used, keys, new Date(1_999_999))).toBe(used);
    expect(() => useJoinToken({ ...used, supersededAt: now }, keys, now)).toThrow("gave way to a later one");
    const other = { ...keys, busKey: `U${"B".repeat(55)}` };
    expect(() => useJoinToken(used, other, now)).toThrow("by another machine");
  });

  it("is refused when it has ended", () => {
    expect(() => useJoinToken(token, keys, token.expiresAt)).toThrow("ended at 1970-01-01T00:33:20.000Z");
  });

  it("is read back from its text, and from nothing else", () => {
    const text = formatJoinToken(token.id, "s".repeat(43));
    expect(parseJoinToken(text)).toEqual({ id: token.id, secret: "s".repeat(43) });
    expect([parseJoinToken(`${text}x`), parseJoinToken("ty_a_b"), parseJoinToken("")]).toEqual(
      Array(3).fill(undefined),
    );
  });

  it("ends after an hour unless told, within its limits, for a name that is one", () => {
    expect(joinTokenEnd("gpu-7", 0, now).getTime() - now.getTime()).toBe(3_600_000);
    expect(() => joinTokenEnd("gpu-7", 59, now)).toThrow("ttl_seconds");
    expect(() => joinTokenEnd("gpu-7", 604_801, now)).toThrow("ttl_seconds");
    expect(() => joinTokenEnd("a.b", 0, now)).toThrow("node_id");
  });

  it("takes keys that are formed like keys only", () => {
    expect(() => assertNodeKeys(keys)).not.toThrow();
    expect(() => assertNodeKeys({ ...keys, signingKey: "short" })).toThrow("signing_key");
    expect(() => assertNodeKeys({ ...keys, busKey: 'U"}' })).toThrow("bus_key");
  });
});
