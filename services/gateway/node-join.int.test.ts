import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openBlobStore } from "@trainyard/blob";
import { connectBus, generateNkey } from "@trainyard/bus";
import { gateway } from "@trainyard/contracts";
import { publicJwk, signingKeyFile } from "@trainyard/local";
import { createSigner, createVerifier, rpcClient } from "@trainyard/service";
import { tempDir, testLogger } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { build, parseGatewayConfig } from "./index.ts";
import { failureOf, gatewayEnv, nextRequestId, startGateway, type TestGateway } from "./test-gateway.ts";

let world: TestGateway;
beforeAll(async () => {
  world = await startGateway();
});

/** A machine with keys of its own. */
function machine(nodeId: string) {
  const { publicKey: busKey, seed } = generateNkey();
  const keyFile = signingKeyFile(join(tempDir("machine"), "secrets"), `agent:${nodeId}`);
  return { keys: { signingKey: publicJwk(keyFile).x, busKey }, seed, keyFile };
}

const joins = (token = "") => world.client(gateway.NodeJoinService, token);
const invite = (nodeId: string, ttlSeconds = 0n, token = world.tokens.admin) =>
  joins(token).createJoinToken({ requestId: nextRequestId(), nodeId, ttlSeconds });

async function busAdmits(seed: string): Promise<boolean> {
  try {
    const logger = testLogger("bus");
    const bus = await connectBus({ servers: world.platform.natsUrl, name: "machine", seed, logger });
    await bus.close();
    return true;
  } catch {
    return false;
  }
}

describe("a machine that joins", () => {
  it("gets into the bus and is believed by services, once per token, and can ask again for a lost answer", async () => {
    const { secret, expiresAt } = await invite("gpu-7");
    expect(Number(expiresAt?.seconds) * 1000).toBeGreaterThan(Date.now() + 3_500_000);
    const own = machine("gpu-7");
    expect(await busAdmits(own.seed)).toBe(false);
    const verifier = await createVerifier(join(world.platform.dir, "jwks.json"));
    const answer = await joins().joinNode({ token: secret, ...own.keys });
    expect(answer).toMatchObject({ nodeId: "gpu-7", busUrl: world.platform.natsUrl });
    expect(await busAdmits(own.seed)).toBe(true);
    const principal = await verifier.verify(await (await createSigner(own.keyFile)).selfToken());
    expect(principal).toMatchObject({ name: "gpu-7", kind: "agent" });
    expect(JSON.parse(answer.jwks).keys.map(({ kid }: { readonly kid: string }) => kid)).toContain(
      "scheduler",
    );
    const chunks = await openBlobStore(answer.blobUrl).open(answer.probeDigest);
    expect((await chunks.toArray()).length).toBeGreaterThan(0);

    expect((await joins().joinNode({ token: secret, ...own.keys })).nodeId).toBe("gpu-7");
    const thief = await failureOf(joins().joinNode({ token: secret, ...machine("gpu-7").keys }));
    expect(thief).toMatchObject({ code: "permission_denied", reason: "JOIN_TOKEN_USED" });
  });

  it("replaces the machine that had its name, whose keys and token count no more", async () => {
    const [first, second] = [machine("gpu-8"), machine("gpu-8")];
    const [old, recent] = [(await invite("gpu-8")).secret, (await invite("gpu-8")).secret];
    await joins().joinNode({ token: old, ...first.keys });
    const verifier = await createVerifier(join(world.platform.dir, "jwks.json"));
    const token = async (of: typeof first) => (await createSigner(of.keyFile)).selfToken();
    await verifier.verify(await token(first));
    await joins().joinNode({ token: recent, ...second.keys });
    expect([await busAdmits(first.seed), await busAdmits(second.seed)]).toEqual([false, true]);
    expect((await verifier.verify(await token(second))).name).toBe("gpu-8");
    await expect(verifier.verify(await token(first))).rejects.toThrow("not one that is valid here");
    expect((await failureOf(joins().joinNode({ token: old, ...first.keys }))).reason).toBe("JOIN_TOKEN_USED");
    expect(await busAdmits(first.seed)).toBe(false);
  });

  it("is refused without a token of this platform, with keys that are none, and under a name of its own machine", async () => {
    const { keys } = machine("x");
    const secret = (await invite("gpu-9")).secret;
    const forged = `${secret.slice(0, -4)}AAAA`;
    for (const token of ["", "tyj_x_y", forged, world.tokens.admin]) {
      expect((await failureOf(joins().joinNode({ token, ...keys }))).reason).toBe("JOIN_TOKEN_INVALID");
    }
    const spoilt = { ...keys, busKey: 'U"}]}' };
    expect((await failureOf(joins().joinNode({ token: secret, ...spoilt }))).reason).toBe("KEY_INVALID");
    await world.platform.addAgent("own", { slots: 1 });
    const own = (await invite("own")).secret;
    expect((await failureOf(joins().joinNode({ token: own, ...keys }))).reason).toBe("NODE_NAME_TAKEN");
    const nats = readFileSync(join(world.platform.dir, "nats/nats.conf"), "utf8");
    expect(nats).not.toContain(keys.busKey);
  });

  it("is invited by an admin only, for a name that is one, where machines can join at all", async () => {
    expect((await failureOf(invite("gpu-1", 0n, world.tokens.submitter))).reason).toBe("ROLE_MISSING");
    expect((await failureOf(invite("a.b"))).reason).toBe("NODE_ID_INVALID");
    expect((await failureOf(invite("gpu-1", 1n))).reason).toBe("TTL_INVALID");
    const env = { ...gatewayEnv(world.platform), TRAINYARD_LISTEN_PORT: "0" };
    const elsewhere = await build(parseGatewayConfig(env), { logger: testLogger("gateway") });
    await elsewhere.start();
    try {
      const client = rpcClient(gateway.NodeJoinService, elsewhere.url, {
        token: async () => world.tokens.admin,
      });
      const request = client.createJoinToken({ requestId: nextRequestId(), nodeId: "gpu-1" });
      expect((await failureOf(request)).reason).toBe("JOIN_NOT_AVAILABLE");
    } finally {
      await elsewhere.stop();
    }
  });
});
