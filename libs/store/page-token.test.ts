import { isDomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import { decodePageToken, encodePageToken, MAX_PAGE_TOKEN_LENGTH } from "./page-token.ts";

const query = { project: "default", states: ["queued", "running"] };

describe("page tokens", () => {
  it("give back the position they were made with", () => {
    const token = encodePageToken(query, ["2026-11-21T00:00:00Z", "job_1"]);
    expect(decodePageToken(token, query)).toEqual(["2026-11-21T00:00:00Z", "job_1"]);
  });

  it("do not depend on the order of the query's keys", () => {
    const token = encodePageToken(query, 7);
    expect(decodePageToken(token, { states: ["queued", "running"], project: "default" })).toBe(7);
  });

  it("mean the first page when empty", () => {
    expect(decodePageToken("", query)).toBeUndefined();
  });

  it.each([
    ["a token of another query", encodePageToken({ project: "other" }, 1)],
    ["text that is no token", "hello, world"],
    ["JSON of another shape", Buffer.from('{"v":1}').toString("base64url")],
    ["a token of another version", Buffer.from('{"v":2,"q":"x","p":1}').toString("base64url")],
    ["a token beyond the length limit", "A".repeat(MAX_PAGE_TOKEN_LENGTH + 1)],
  ])("refuse %s", (_what, token) => {
    expect(() => decodePageToken(token, query)).toThrow(
      expect.toSatisfy((error: unknown) => isDomainError(error, "INVALID_PAGE_TOKEN")),
    );
  });
});
