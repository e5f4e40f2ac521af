import { readFile, stat } from "node:fs/promises";
import { DomainError } from "@trainyard/domain";
import { createLocalJWKSet, errors, importJWK, type JSONWebKeySet, jwtVerify } from "jose";
import type { Principal } from "./principal.ts";
import { verifyInput } from "./signed-bytes.ts";
import { AGENT_KID_PREFIX, ALGORITHM, AUDIENCE, claimsSchema } from "./token.ts";

/** Tokens that are remembered as verified: callers send the same one with every call, and a signature costs more than most calls. */
const MAX_REMEMBERED = 1_000;

/** Clocks of two machines may differ by this much. */
const CLOCK_TOLERANCE_S = 5;

/** Says what tokens and signatures prove. */
export interface Verifier {
  /** Whom the token proves. Throws `unauthenticated` TOKEN_INVALID or TOKEN_EXPIRED. */
  verify(token: string): Promise<Principal>;
  /** Whether the holder of the key `kid` signed exactly these bytes for exactly this context (`Signer.signBytes`). */
  verifyBytes(kid: string, context: string, bytes: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/**
 * Verifies tokens by the public keys in a JWK set file. The file is read again when a token names a key that is not in
 * it, or is not signed with that key, and the file has changed: an agent that joins does not need every service restarted.
 */
export async function createVerifier(jwksFile: string, now: () => number = Date.now): Promise<Verifier> {
  let keys = await readKeys(jwksFile);
  const remembered = new Map<
    string,
    { readonly principal: Principal; readonly until: number; readonly by: Keys }
  >();

  /** Whom a token proved before, by the same keys, while it is good. */
  function known(token: string): Principal | undefined {
    const found = remembered.get(token);
    if (found === undefined) return undefined;
    if (found.by === keys && now() < found.until) return found.principal;
    remembered.delete(token);
    return undefined;
  }

  function remember(token: string, principal: Principal, expiresAtS: number, by: Keys): void {
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
    remembered.set(token, { principal, until: expiresAtS * 1_000, by });
  }

  async function verifyWith(token: string) {
    return await jwtVerify(token, keys.find, {
      algorithms: [ALGORITHM],
      audience: AUDIENCE,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(now()),
      requiredClaims: ["iss", "sub", "exp"],
    });
  }

  async function verifyOrReread(token: string) {
    try {
      return await verifyWith(token);
    } catch (error) {
      // A node that has joined anew has another key under its old name.
      const mayBeStale =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;
      if (!mayBeStale || !(await reread())) throw error;
      return await verifyWith(token);
    }
  }

  /** Whether the file had changed, and was read again. */
  async function reread(): Promise<boolean> {
    if ((await stat(jwksFile)).mtimeMs === keys.mtimeMs) return false;
    keys = await readKeys(jwksFile);
    return true;
  }

  async function verifyBytesWith(...[kid, context, bytes, signature]: Parameters<Verifier["verifyBytes"]>) {
    const jwk = keys.set.keys.find((key) => key.kid === kid && key.crv === "Ed25519");
    const key = jwk === undefined ? undefined : await importJWK(jwk, ALGORITHM);
    if (key === undefined || key instanceof Uint8Array) return false;
    return await verifyInput(key, context, bytes, signature);
  }

  return {
    async verify(token) {
      const proved = known(token);
      if (proved !== undefined) return proved;
      // Read again meanwhile, the keys are others, and what these proved is not remembered.
      const by = keys;
      try {
        const { payload, protectedHeader } = await verifyOrReread(token);
        const { sub, kind, roles, project, run, attempt } = claimsSchema.parse(payload);
        const principal: Principal = {
          name: sub,
          kind,
          roles,
          ...(project === undefined ? {} : { project }),
          ...(run === undefined ? {} : { run }),
          ...(attempt === undefined ? {} : { attempt }),
        };
        const kid = protectedHeader.kid ?? "";
        if (payload.iss !== kid || !mayAssert(kid, principal)) throw new Error(`${kid} may not assert that`);
        remember(token, principal, payload.exp ?? 0, by);
        return principal;
      } catch (error) {
        throw refusal(error);
      }
    },
    async verifyBytes(...signed) {
      return (await verifyBytesWith(...signed)) || ((await reread()) && (await verifyBytesWith(...signed)));
    },
  };
}

/**
 * Whether the holder of this key may say that this principal is calling. The gateway speaks for users, whom it has
 * seen; the scheduler makes the ranks' tokens; everyone else speaks only for itself.
 */
export function mayAssert(kid: string, principal: Principal): boolean {
  switch (principal.kind) {
    case "user":
      return kid === "gateway";
    case "rank":
      return kid === "scheduler" && principal.run !== undefined && principal.attempt !== undefined;
    case "agent":
      return kid === `${AGENT_KID_PREFIX}${principal.name}`;
    case "service":
      return kid === principal.name && !kid.startsWith(AGENT_KID_PREFIX);
  }
}

/** Why exactly a token is bad helps whoever forges one: only that it has expired is told. */
function refusal(cause: unknown): DomainError {
  if (cause instanceof errors.JWTExpired) {
    return new DomainError("unauthenticated", "TOKEN_EXPIRED", "The token has expired. Get a new one.", {
      cause,
    });
  }
  return new DomainError("unauthenticated", "TOKEN_INVALID", "The token is not one that is valid here.", {
    cause,
  });
}

type Keys = Awaited<ReturnType<typeof readKeys>>;

async function readKeys(file: string) {
  const { mtimeMs } = await stat(file);
  const set = JSON.parse(await readFile(file, "utf8")) as JSONWebKeySet; // createLocalJWKSet checks it.
  return { mtimeMs, set, find: createLocalJWKSet(set) };
}
