import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@trainyard/testing";
import { exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { createSigner } from "./signer.ts";
import { createVerifier } from "./verifier.ts";

const dir = tempDir("verifier");
const jwksFile = join(dir, "jwks.json");

/** A gateway's signer with a new key, and what of it others may know. */
async function newSigner() {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const file = join(dir, "gateway.json");
  writeFileSync(file, JSON.stringify({ ...(await exportJWK(privateKey)), kid: "gateway" }));
  return { signer: await createSigner(file), jwk: { ...(await exportJWK(publicKey)), kid: "gateway" } };
}

describe("a token that was verified before", () => {
  it("is refused when it has expired, or when its key is not the key any more", async () => {
    const { signer, jwk } = await newSigner();
    writeFileSync(jwksFile, JSON.stringify({ keys: [jwk] }));
    let now = Date.now();
    const verifier = await createVerifier(jwksFile, () => now);
    const ada = { name: "ada", kind: "user", roles: ["submitter"] } as const;
    const token = await signer.sign(ada, 60_000);
    expect(await verifier.verify(token)).toEqual(ada);
    expect(await verifier.verify(token)).toEqual(ada);
    const [header, payload, signature = ""] = token.split(".");
    const forged = [header, payload, `${signature.slice(0, -4)}AAAA`].join(".");
    await expect(verifier.verify(forged)).rejects.toMatchObject({ reason: "TOKEN_INVALID" });

    const next = await newSigner();
    // Another content at another time, as a file that was replaced has.
    writeFileSync(jwksFile, JSON.stringify({ keys: [next.jwk], replaced: true }));
    expect(await verifier.verify(await next.signer.sign(ada, 60_000))).toEqual(ada);
    await expect(verifier.verify(token)).rejects.toMatchObject({ reason: "TOKEN_INVALID" });

    const short = await next.signer.sign(ada, 60_000);
    expect(await verifier.verify(short)).toEqual(ada);
    now += 70_000;
    await expect(verifier.verify(short)).rejects.toMatchObject({ reason: "TOKEN_EXPIRED" });
  });
});
