import { isDomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import { rangeOf } from "./byte-range.ts";
import { formatCredential, parseCredential } from "./credential.ts";
import { stageOf } from "./stage-word.ts";
import { revoke, type Token, tokenState } from "./token.ts";
import { grantOf, MAX_TOKEN_TTL_SECONDS } from "./token-request.ts";

const now = new Date("2026-01-01T00:00:00Z");
const later = new Date("2026-01-02T00:00:00Z");
const token: Token = {
  id: "tok_01h455vb4pex5vsknk084sn02q",
  principal: "ada",
  roles: ["viewer"],
  project: "default",
  secretHash: "",
  createdBy: "user:admin",
  createdAt: now,
  version: 1,
};

describe("a token", () => {
  it.each([
    ["is active without an end", {}, "active"],
    ["is active before its end", { expiresAt: later }, "active"],
    ["has expired at its end", { expiresAt: now }, "expired"],
    ["is revoked, whatever its end", { expiresAt: now, revokedAt: now }, "revoked"],
  ] as const)("%s", (_what, dates, state) => {
    expect(tokenState(dates, now)).toBe(state);
  });

  it("is revoked once: the first moment stays", () => {
    const revoked = revoke(token, now);
    expect(revoked).toMatchObject({ revokedAt: now, version: 2 });
    expect(revoke(revoked, later)).toBe(revoked);
  });
});

describe("a credential", () => {
  const credential = { tokenId: token.id, secret: `${"a".repeat(41)}-_` };

  it("is read as it was written", () => {
    const text = formatCredential(credential);
    expect(text).toMatch(/^ty_01h455vb4pex5vsknk084sn02q_/);
    expect(parseCredential(text)).toEqual(credential);
  });

  it.each([
    "",
    "ty_",
    "ty_x_y",
    `${formatCredential(credential)}a`,
    formatCredential(credential).toUpperCase(),
  ])("is not %j", (text) => expect(parseCredential(text)).toBeUndefined());
});

describe("a token's request", () => {
  const request = { principal: "ada", roles: ["viewer"], project: "", ttlSeconds: 0 };

  it("is granted in the default project, for ever, with each role once and in the platform's order", () => {
    expect(grantOf({ ...request, roles: ["admin", "viewer", "admin"] }, now)).toEqual({
      principal: "ada",
      project: "default",
      roles: ["viewer", "admin"],
    });
  });

  it("ends when it asks to", () => {
    expect(grantOf({ ...request, ttlSeconds: 86_400 }, now).expiresAt).toEqual(later);
    expect(() => grantOf({ ...request, ttlSeconds: MAX_TOKEN_TTL_SECONDS }, now)).not.toThrow();
    expect(() => grantOf({ ...request, ttlSeconds: MAX_TOKEN_TTL_SECONDS + 1 }, now)).toThrow("ttl_seconds");
  });
});

describe("a range of ten bytes", () => {
  it.each([
    [undefined, { kind: "whole" }],
    ["bytes=0-3", { kind: "part", start: 0, end: 3 }],
    ["bytes=4-", { kind: "part", start: 4, end: 9 }],
    ["bytes=-3", { kind: "part", start: 7, end: 9 }],
    ["bytes=-99", { kind: "part", start: 0, end: 9 }],
    ["bytes=9-99", { kind: "part", start: 9, end: 9 }],
    ["bytes=10-", { kind: "unsatisfiable" }],
    ["bytes=-0", { kind: "unsatisfiable" }],
    ["bytes=5-4", { kind: "whole" }],
    ["bytes=0-1,4-5", { kind: "whole" }],
    ["items=0-1", { kind: "whole" }],
    ["bytes=-", { kind: "whole" }],
  ])("asked for by %j", (header, answer) => {
    expect(rangeOf(header, 10)).toEqual(answer);
  });

  it("of no bytes cannot be given", () => {
    expect(rangeOf("bytes=0-", 0)).toEqual({ kind: "unsatisfiable" });
    expect(rangeOf("bytes=-1", 0)).toEqual({ kind: "unsatisfiable" });
  });
});

it("production is another word for champion, and other words are refused", () => {
  expect(stageOf("production")).toBe("champion");
  expect(stageOf("canary")).toBe("canary");
  const refused = (() => {
    try {
      return stageOf("Production");
    } catch (error) {
      return error;
    }
  })();
  expect(isDomainError(refused, "STAGE_UNKNOWN")).toBe(true);
});
