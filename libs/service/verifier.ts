import { readFile, stat } from "node:fs/promises";
import { DomainError } from "@trainyard/domain";
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from "jose";
import type { Principal } from "./principal.ts";
import { AGENT_KID_PREFIX, ALGORITHM, AUDIENCE, claimsSchema } from "./token.ts";

/** Clocks of two machines may differ by this much. */
const CLOCK_TOLERANCE_S = 5;

/** Says whom a token proves. Throws `unauthenticated` TOKEN_INVALID or TOKEN_EXPIRED. */
export interface Verifier {
  verify(token: string): Promise<Principal>;
}

/**
 * Verifies tokens by the public keys in a JWK set file. The file is read again when a token names a key that is not in
 * it and the file has changed: an agent that joins does not need every service restarted.
 */
export async function createVerifier(jwksFile: string, now: () => number = Date.now): Promise<Verifier> {
  let keys = await readKeys(jwksFile);

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
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if ((await stat(jwksFile)).mtimeMs === keys.mtimeMs) throw error;
      keys = await readKeys(jwksFile);
      return await verifyWith(token);
    }
  }

  return {
    async verify(token) {
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
        return principal;
      } catch (error) {
        throw refusal(error);
      }
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

async function readKeys(file: string) {
  const { mtimeMs } = await stat(file);
  const set = JSON.parse(await readFile(file, "utf8")) as JSONWebKeySet; // createLocalJWKSet checks it.
  return { mtimeMs, find: createLocalJWKSet(set) };
}
