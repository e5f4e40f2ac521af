import { DomainError } from "@trainyard/domain";
import type { Principal } from "./principal.ts";
import type { Verifier } from "./verifier.ts";

/**
 * Turns a call's `authorization` header into who is calling, or throws `unauthenticated`. Services verify each other's
 * tokens by `bearerAuthenticate`; the gateway brings its own, which also knows API tokens.
 */
export type Authenticate = (authorization: string | null) => Promise<Principal>;

/** Authenticates by a bearer token that the verifier knows. */
export function bearerAuthenticate(verifier: Verifier): Authenticate {
  return async (authorization) => await verifier.verify(bearerToken(authorization));
}

/** The token in `Bearer …`. Throws `unauthenticated` TOKEN_MISSING or, for another scheme, TOKEN_INVALID. */
export function bearerToken(authorization: string | null): string {
  if (authorization === null || authorization.trim() === "") {
    const message = "The call carries no token. Send it as the header authorization: Bearer TOKEN.";
    throw new DomainError("unauthenticated", "TOKEN_MISSING", message);
  }
  const match = /^bearer +(\S+) *$/i.exec(authorization);
  if (match?.[1] === undefined) {
    const message = "The authorization header is not of the form Bearer TOKEN.";
    throw new DomainError("unauthenticated", "TOKEN_INVALID", message);
  }
  return match[1];
}
