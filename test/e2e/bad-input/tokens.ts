import { randomUUID } from "node:crypto";
import { waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { flowClients } from "../../flow/clients.ts";
import type { UnderTest } from "../under-test.ts";
import { refused } from "./refused.ts";

/** Callers without a good token, by gRPC and by HTTP. */
export function tokenCases(under: () => UnderTest): void {
  const byHttp = (secret: string | undefined) =>
    fetch(`${under().url}/api/v1/models/register`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      },
      body: JSON.stringify({ name: "m", artifact_uri: "s3://b/m" }),
    });
  const byGrpc = (secret: string) =>
    flowClients(under().url, secret).registry.registerModelVersion({
      requestId: randomUUID(),
      model: "m",
      artifactUri: "s3://b/m",
    });

  /** The same refusal both ways. */
  async function expectRefused(secret: string, reason: string, words: RegExp): Promise<void> {
    const error = await refused(under(), () => byGrpc(secret));
    expect(error).toMatchObject({ code: "unauthenticated", reason });
    expect(error.message).toMatch(words);
    const answer = await byHttp(secret);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    expect(await answer.json()).toEqual({
      code: "unauthenticated",
      reason,
      message: error.message,
      violations: [],
    });
  }

  const made = async (ttlSeconds = 0n) => {
    const requestId = randomUUID();
    const roles = ["viewer", "submitter"];
    return under().tokens.createToken({ requestId, principal: "casey", roles, ttlSeconds });
  };

  describe("a token", () => {
    it("that is missing is asked for, with where to get one", async () => {
      const answer = await byHttp(undefined);
      expect(answer.status).toBe(401);
      const body: unknown = await answer.json();
      expect(body).toMatchObject({
        code: "unauthenticated",
        reason: "TOKEN_MISSING",
        message: expect.stringMatching(/authorization: Bearer/i),
      });
      const path = "/trainyard.scheduler.v1.SchedulerService/ListJobs";
      const headers = { "content-type": "application/json" };
      const connect = await fetch(`${under().url}${path}`, { method: "POST", headers, body: "{}" });
      expect(connect.status).toBe(401);
      expect(await connect.json()).toMatchObject({ code: "unauthenticated" });
    });

    it("that is wrong is refused, whatever it looks like", async () => {
      const { secret } = await made();
      const changed = `${secret.slice(0, -1)}${secret.endsWith("A") ? "B" : "A"}`;
      for (const wrong of [changed, secret.slice(0, 20), "ty_", "nonsense", "eyJhbGciOiJub25lIn0.e30."]) {
        await expectRefused(wrong, "TOKEN_INVALID", /Check that it was copied whole|ask an admin/);
      }
    });

    it("that has expired is refused, with when it did and who gives another", async () => {
      const { secret, token } = await made(1n);
      await waitFor("the token to expire", async () => (await byHttp(secret)).status === 401);
      await expectRefused(
        secret,
        "TOKEN_EXPIRED",
        new RegExp(`${token?.id} expired at 20.*Ask an admin for a new one`),
      );
    });

    it("that was revoked is refused at once", async () => {
      const { secret, token } = await made();
      const { jobs } = await under().clientsOf(secret).scheduler.listJobs({});
      expect(jobs.length).toBeGreaterThanOrEqual(0);
      await under().tokens.revokeToken({ requestId: randomUUID(), tokenId: token?.id ?? "" });
      await expectRefused(secret, "TOKEN_REVOKED", new RegExp(`${token?.id} was revoked at 20`));
    });

    it("of a viewer reads and does not submit; the missing role is named", async () => {
      const { secret } = await under().tokens.createToken({
        requestId: randomUUID(),
        principal: "reader",
        roles: ["viewer"],
      });
      await under().clientsOf(secret).scheduler.listJobs({});
      const error = await refused(under(), () => byGrpc(secret));
      expect(error).toMatchObject({ code: "permission_denied", reason: "ROLE_MISSING" });
      expect(error.message).toContain("submitter");
      expect((await byHttp(secret)).status).toBe(403);
    });
  });
}
