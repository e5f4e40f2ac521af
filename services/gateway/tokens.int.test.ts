import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { gateway } from "@trainyard/contracts";
import { databaseOf, firstTokensFile } from "@trainyard/local";
import { rpcClient } from "@trainyard/service";
import { openStore } from "@trainyard/store";
import {
  freePort,
  spawnScript,
  spawnService,
  tempDir,
  testLogger,
  testPlatform,
  waitFor,
} from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { failureOf, gatewayEnv, nextRequestId, startGateway, type TestGateway } from "./test-gateway.ts";

let one: TestGateway;

beforeAll(async () => {
  one = await startGateway();
});

const whoAmI = (token: string) => one.client(gateway.TokenService, token).whoAmI({});

async function everythingStored(): Promise<string> {
  const { TRAINYARD_MONGODB_URI: uri = "" } = one.env;
  const store = await openStore({ uri, database: databaseOf("gateway"), logger: testLogger() });
  const names = await store.db.listCollections().toArray();
  const rows = await Promise.all(names.map(({ name }) => store.db.collection(name).find().toArray()));
  await store.close();
  return JSON.stringify(rows, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
}

describe("the first tokens", () => {
  it("are written for their owner only, and each has its role", async () => {
    expect(statSync(firstTokensFile(one.platform.dir)).mode & 0o777).toBe(0o600);
    expect(await whoAmI(one.tokens.admin)).toMatchObject({ principal: "admin", roles: ["admin"] });
    expect(await whoAmI(one.tokens.submitter)).toMatchObject({ principal: "ada", roles: ["submitter"] });
    expect(await whoAmI(one.tokens.approver)).toMatchObject({ principal: "approver", project: "default" });
  });

  it("are the same three whenever the gateway dies while making them", async () => {
    const { platform } = await testPlatform();
    const once = tempDir("once");
    const crashes = [
      "gateway.bootstrap.written",
      "gateway.token-create.before-commit",
      "gateway.bootstrap.committed",
    ];
    const file = firstTokensFile(platform.dir);
    const env = { TRAINYARD_CRASH_AT: crashes.join(","), TRAINYARD_CRASH_ONCE_DIR: once };
    const written: string[] = [];
    for (const crash of crashes) {
      await expect(spawnService(platform, "gateway", gatewayEnv(platform, env))).rejects.toThrow();
      expect(existsSync(`${once}/${crash}`)).toBe(true);
      written.push(readFileSync(file, "utf8"));
    }
    await spawnService(platform, "gateway", gatewayEnv(platform, env));
    written.push(readFileSync(file, "utf8"));
    expect(new Set(written).size).toBe(1);
    const { admin } = JSON.parse(written[0] ?? "") as { admin: string };
    const client = rpcClient(gateway.TokenService, platform.url("gateway"), { token: async () => admin });
    expect((await client.listTokens({})).tokens).toHaveLength(3);
  });

  it("come from the file again when the database was lost, and are not made again when only the file was", async () => {
    const { platform } = await testPlatform();
    const file = firstTokensFile(platform.dir);
    const first = await spawnService(platform, "gateway", gatewayEnv(platform));
    await first.kill("SIGTERM");
    const before = readFileSync(file, "utf8");
    const { TRAINYARD_MONGODB_URI: uri = "" } = platform.serviceEnv("gateway");
    const store = await openStore({ uri, database: databaseOf("gateway"), logger: testLogger() });
    await store.collection("tokens").deleteMany({});
    await store.close();
    const second = await spawnService(platform, "gateway", gatewayEnv(platform));
    const { admin } = JSON.parse(before) as { admin: string };
    const client = rpcClient(gateway.TokenService, platform.url("gateway"), { token: async () => admin });
    expect((await client.listTokens({})).tokens).toHaveLength(3);
    await second.kill("SIGTERM");
    rmSync(file);
    await spawnService(platform, "gateway", gatewayEnv(platform));
    expect(existsSync(file)).toBe(false);
  });
});

describe("a caller is refused", () => {
  it("without a token, and told how to send one", async () => {
    const failure = await failureOf(rpcClient(gateway.TokenService, one.url).whoAmI({}));
    expect(failure).toMatchObject({ code: "unauthenticated", reason: "TOKEN_MISSING" });
    expect(failure.message).toContain("Bearer TOKEN");
  });

  it.each([
    ["garbage", () => "garbage"],
    ["an empty credential", () => "ty__"],
    ["a well-formed credential of no token", () => `ty_${"0".repeat(26)}_${"A".repeat(43)}`],
    [
      "the right token with a wrong secret",
      () => one.tokens.admin.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
    ],
    ["another token's secret", () => one.tokens.admin.slice(0, 30) + one.tokens.approver.slice(30)],
    ["a secret with something after it", () => `${one.tokens.admin}x`],
  ])("with %s", async (_what, token) => {
    expect(await failureOf(whoAmI(token()))).toMatchObject({
      code: "unauthenticated",
      reason: "TOKEN_INVALID",
    });
  });

  it("once the token has expired", async () => {
    const { secret } = await one.newToken({ ttlSeconds: 1 });
    await whoAmI(secret);
    const failure = await waitFor("expiry", async () => {
      const refused = await failureOf(whoAmI(secret));
      return refused.code === "none" ? undefined : refused;
    });
    expect(failure).toMatchObject({ code: "unauthenticated", reason: "TOKEN_EXPIRED" });
    expect(failure.message).toContain("trainyard tokens create");
  });

  it("at once after a revocation here, and soon after one elsewhere", async () => {
    const { secret, id } = await one.newToken();
    await whoAmI(secret);
    const admin = one.client(gateway.TokenService, one.tokens.admin);
    const port = await freePort();
    const elsewhere = await spawnScript("another gateway", {
      script: "services/gateway/main.ts",
      env: { ...one.env, TRAINYARD_LISTEN_PORT: String(port) },
      readyUrl: `http://127.0.0.1:${port}/readyz`,
    });
    const there = rpcClient(gateway.TokenService, `http://127.0.0.1:${port}`, { token: async () => secret });
    await there.whoAmI({});
    const { token } = await admin.revokeToken({ requestId: nextRequestId(), tokenId: id });
    expect(token?.revokedAt).toBeDefined();
    expect(await failureOf(whoAmI(secret))).toMatchObject({
      code: "unauthenticated",
      reason: "TOKEN_REVOKED",
    });
    const refused = async () => (await failureOf(there.whoAmI({}))).reason === "TOKEN_REVOKED";
    await waitFor("the revocation to be known elsewhere", refused);
    await elsewhere.kill("SIGTERM");
  });

  it("without the role that the call needs", async () => {
    const submitter = one.client(gateway.TokenService, one.tokens.submitter);
    expect(await failureOf(submitter.listTokens({}))).toMatchObject({
      code: "permission_denied",
      reason: "ROLE_MISSING",
    });
  });
});

describe("tokens", () => {
  it("are made once per request id; a repetition says that the secret is gone, and what to do", async () => {
    const admin = one.client(gateway.TokenService, one.tokens.admin);
    const request = { requestId: nextRequestId(), principal: "grace", roles: ["approver", "viewer"] };
    const made = await admin.createToken(request);
    const { tokens: before } = await admin.listTokens({});
    const again = await failureOf(admin.createToken(request));
    expect(again).toMatchObject({ code: "already_exists", reason: "TOKEN_SECRET_GONE" });
    expect(again.message).toContain(made.token?.id);
    expect((await admin.listTokens({})).tokens).toHaveLength(before.length);
    expect(before[0]?.id).toBe(made.token?.id);
    const otherBody = admin.createToken({ ...request, principal: "mallory" });
    expect(await failureOf(otherBody)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });

  it("leave no secret in the database, its outbox or its kept answers", async () => {
    const { secret } = await one.newToken();
    const stored = await everythingStored();
    for (const text of [secret, ...Object.values(one.tokens)]) {
      expect(stored).not.toContain(text.slice(-43));
    }
  });

  it.each([
    ["an unknown role", { roles: ["king"] }, "ROLE_UNKNOWN"],
    ["no role", { roles: [] }, "ROLE_UNKNOWN"],
    ["a principal that is no name", { principal: "a b" }, "NAME_INVALID"],
    ["a project that cannot be part of a subject", { project: "a.b" }, "NAME_INVALID"],
    ["a negative life", { ttlSeconds: -1n }, "TTL_INVALID"],
    ["no request id", { requestId: "" }, "REQUEST_ID_MISSING"],
  ])("are not made with %s", async (_what, wrong, reason) => {
    const admin = one.client(gateway.TokenService, one.tokens.admin);
    const request = { requestId: nextRequestId(), principal: "grace", roles: ["viewer"], ...wrong };
    expect(await failureOf(admin.createToken(request))).toMatchObject({ code: "invalid_argument", reason });
  });

  it("that are not there cannot be revoked; one that was revoked stays as it was", async () => {
    const admin = one.client(gateway.TokenService, one.tokens.admin);
    const missing = admin.revokeToken({ requestId: nextRequestId(), tokenId: "tok_nope" });
    expect(await failureOf(missing)).toMatchObject({ code: "not_found", reason: "TOKEN_NOT_FOUND" });
    const { id } = await one.newToken();
    const first = await admin.revokeToken({ requestId: nextRequestId(), tokenId: id });
    await delay(5);
    const second = await admin.revokeToken({ requestId: nextRequestId(), tokenId: id });
    expect(second.token?.revokedAt).toEqual(first.token?.revokedAt);
  });
});
