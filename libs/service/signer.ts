import { readFile } from "node:fs/promises";
import { type CryptoKey, importJWK, type JWK, SignJWT } from "jose";
import type { Principal } from "./principal.ts";
import { signInput } from "./signed-bytes.ts";
import { AGENT_KID_PREFIX, ALGORITHM, AUDIENCE } from "./token.ts";

/** How long a token that a service makes for its own calls is valid. */
const SELF_TTL_MS = 5 * 60_000;

/** A token is made anew when it has less than this left. */
const RENEW_BEFORE_MS = 60_000;

/** Makes tokens with a service's own key. Whether a receiver believes what they assert is decided by the key's id. */
export interface Signer {
  /** The key's id: the service's name, or `agent:<nodeId>`. */
  readonly kid: string;
  /** Whom `selfToken` asserts. */
  readonly self: Principal;
  /** A token for this principal, valid for `ttlMs`. */
  sign(principal: Principal, ttlMs: number): Promise<string>;
  /** A token for the service itself; reused while it is fresh. */
  selfToken(): Promise<string>;
  /**
   * A signature over bytes that others keep for the service, such as a value in a bucket. The context says what they are
   * and where they belong; `verifyBytes` must be given the same.
   */
  signBytes(context: string, bytes: Uint8Array): Promise<Uint8Array>;
}

/** Reads a private Ed25519 JWK with a `kid` from a file. Throws an error that names the file and never the key. */
export async function createSigner(keyFile: string, now: () => number = Date.now): Promise<Signer> {
  const { key, kid } = await readPrivateKey(keyFile);
  const self: Principal = kid.startsWith(AGENT_KID_PREFIX)
    ? { name: kid.slice(AGENT_KID_PREFIX.length), kind: "agent", roles: [] }
    : { name: kid, kind: "service", roles: [] };
  let cached: { readonly token: Promise<string>; readonly expiresAt: number } | undefined;

  function sign(principal: Principal, ttlMs: number): Promise<string> {
    const { name, ...claims } = principal;
    const issuedAt = Math.floor(now() / 1000);
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: "JWT" })
      .setIssuer(kid)
      .setSubject(name)
      .setAudience(AUDIENCE)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + Math.ceil(ttlMs / 1000))
      .sign(key);
  }

  return {
    kid,
    self,
    sign,
    selfToken() {
      if (cached === undefined || cached.expiresAt - now() < RENEW_BEFORE_MS) {
        cached = { token: sign(self, SELF_TTL_MS), expiresAt: now() + SELF_TTL_MS };
      }
      return cached.token;
    },
    signBytes: (context, bytes) => signInput(key, context, bytes),
  };
}

async function readPrivateKey(file: string): Promise<{ key: CryptoKey; kid: string }> {
  const expected = "expected a private Ed25519 JWK with a kid";
  let jwk: JWK;
  try {
    jwk = JSON.parse(await readFile(file, "utf8")) as JWK; // Checked by importJWK and below.
  } catch (error) {
    // The parser's message would quote the file.
    const why = error instanceof SyntaxError ? "is not JSON" : `cannot be read (${codeOf(error)})`;
    throw new Error(`signing key ${file} ${why}: ${expected}`);
  }
  if (typeof jwk?.kid !== "string" || jwk.crv !== "Ed25519" || jwk.d === undefined) {
    throw new Error(`signing key ${file}: ${expected}`);
  }
  const key = await importJWK(jwk, ALGORITHM);
  if (key instanceof Uint8Array) throw new Error(`signing key ${file}: ${expected}`);
  return { key, kid: jwk.kid };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
