import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSigner } from "./signer.ts";
import { createVerifier } from "./verifier.ts";

const bytes = new TextEncoder().encode("run this");

/** Two services with keys, and a verifier that knows both. */
async function twoServices() {
  const folder = mkdtempSync(join(tmpdir(), "signed-bytes-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const jwksFile = join(folder, "jwks.json");
  const keys = ["scheduler", "tracking"].map((kid) => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    writeFileSync(join(folder, kid), JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid }));
    return { ...publicKey.export({ format: "jwk" }), kid };
  });
  writeFileSync(jwksFile, JSON.stringify({ keys }));
  return {
    scheduler: await createSigner(join(folder, "scheduler")),
    tracking: await createSigner(join(folder, "tracking")),
    verifier: await createVerifier(jwksFile),
  };
}

describe("signed bytes", () => {
  it("are believed in the context they were signed for, and in no other", async () => {
    const { scheduler, verifier } = await twoServices();
    const signature = await scheduler.signBytes("desired/node.n1", bytes);
    expect(signature).toHaveLength(64);
    expect(await verifier.verifyBytes("scheduler", "desired/node.n1", bytes, signature)).toBe(true);
    expect(await verifier.verifyBytes("scheduler", "desired/node.n2", bytes, signature)).toBe(false);
  });

  it("are not believed when a byte differs, moves into the context, or the signature is none", async () => {
    const { scheduler, verifier } = await twoServices();
    const signature = await scheduler.signBytes("desired/node.n1", bytes);
    const changed = new TextEncoder().encode("run that");
    const shorter = bytes.subarray(1);
    expect(await verifier.verifyBytes("scheduler", "desired/node.n1", changed, signature)).toBe(false);
    expect(await verifier.verifyBytes("scheduler", "desired/node.n1r", shorter, signature)).toBe(false);
    expect(await verifier.verifyBytes("scheduler", "desired/node.n1", bytes, new Uint8Array())).toBe(false);
    await expect(scheduler.signBytes("a\0b", bytes)).rejects.toThrow("NUL");
  });

  it("are not believed of another key, or of one that nobody knows", async () => {
    const { tracking, verifier } = await twoServices();
    const signature = await tracking.signBytes("desired/node.n1", bytes);
    expect(await verifier.verifyBytes("scheduler", "desired/node.n1", bytes, signature)).toBe(false);
    expect(await verifier.verifyBytes("nobody", "desired/node.n1", bytes, signature)).toBe(false);
  });

  it("cannot be made of a token's signature", async () => {
    const { scheduler, verifier } = await twoServices();
    const token = await scheduler.selfToken();
    const dot = token.lastIndexOf(".");
    const input = new TextEncoder().encode(token.slice(0, dot));
    const signature = new Uint8Array(Buffer.from(token.slice(dot + 1), "base64url"));
    expect(await verifier.verifyBytes("scheduler", "", input, signature)).toBe(false);
  });
});
